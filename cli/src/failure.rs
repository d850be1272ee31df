//! The text of the error that ends the program.

/// Returns an error with its causes. Many errors have the text of their cause in their own, so a cause that the text
/// already contains is left out.
pub fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn causes_occur_once() {
        let refused = || io::Error::other("refused");
        let repeated = anyhow!(io::Error::other(format!("no data: {}", refused())));
        assert_eq!(describe(&repeated), "no data: refused");
        let nested = anyhow::Error::new(refused())
            .context("io: refused")
            .context("no data: io: refused; is the server running?")
            .context("the command failed");
        assert_eq!(
            describe(&nested),
            "the command failed: no data: io: refused; is the server running?"
        );
        let distinct: anyhow::Result<()> = Err(refused()).context("could not write");
        assert_eq!(describe(&distinct.unwrap_err()), "could not write: refused");
    }
}
