//! Texts that depend on the images of a run.

use farsign::dataset::{Dataset, PixelOrder};
use farsign_server::data::loader;
use farsign_tests::dataset_folder::write_dataset;

use crate::page::{Page, test_page};

/// Returns everything that the page shows, and its title.
async fn visible_text(page: &Page) -> String {
    let text = page
        .run("return `${document.title} ${document.body.innerText}`")
        .await;
    text.as_str().expect("a text").to_lowercase()
}

async fn wait_for_status(page: &Page) {
    page.wait_until_true("document.getElementById('facts').textContent.includes('Data')")
        .await;
}

#[test]
fn page_speaks_of_digits() {
    test_page(&["--horizon", "60"], async |page, _| {
        wait_for_status(page).await;
        assert_eq!(
            page.text("page-title").await,
            "Teach a machine to read digits, together."
        );
        assert!(
            page.text("accuracy-caption")
                .await
                .contains("test digits read")
        );
        assert_eq!(page.text("draw-title").await, "Draw a digit");
        assert_eq!(
            page.run("return document.getElementById('draw').hidden")
                .await,
            false
        );
        page.start_at_full_effort().await;
        let state = page.wait_for("finished").await;
        assert!(
            state.text("detail").contains("test digits correctly"),
            "{state:?}"
        );
    });
}

#[test]
fn page_speaks_of_other_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let digits = loader::built_in().expect("the built-in digits");
    // On their side, as those of EMNIST are.
    let [train, held_out] = [&digits.train, &digits.held_out]
        .map(|data| Dataset::clone(data).stored_by(PixelOrder::Columns));
    let data = folder.path().join("letters");
    std::fs::create_dir(&data).expect("a folder");
    write_dataset(&data, &train, &held_out).expect("a write");
    let data = data.to_str().expect("a path in UTF-8");
    test_page(&["--horizon", "60", "--data", data], async |page, _| {
        wait_for_status(page).await;
        let text = visible_text(page).await;
        assert!(!text.contains("digit") && text.contains("images"), "{text}");
        assert_eq!(
            page.run("return document.getElementById('draw').hidden")
                .await,
            true
        );
        page.start_at_full_effort().await;
        let state = page.wait_for("finished").await;
        assert!(
            state.text("detail").contains("test images correctly"),
            "{state:?}"
        );
        let text = visible_text(page).await;
        assert!(!text.contains("digit"), "{text}");
    });
}
