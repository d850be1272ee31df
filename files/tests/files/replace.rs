//! What becomes of the file that a path leads to.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use farsign_files::{create_private, is_standard_output, replace};
use tempfile::tempdir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn new_file_has_usual_mode() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("new");
    replace(&path, b"content").unwrap();
    let usual = folder.path().join("usual");
    fs::write(&usual, b"").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"content");
    assert_eq!(mode(&path), mode(&usual));
}

#[test]
fn existing_file_keeps_mode_owner() {
    let folder = tempdir().unwrap();
    for mode_before in [0o600, 0o640, 0o666, 0o4755] {
        let path = folder.path().join("file");
        fs::write(&path, b"longer than the new content").unwrap();
        // Only a privileged user can choose an owner; others keep their own.
        _ = chown(&path, Some(1234), Some(2345));
        fs::set_permissions(&path, fs::Permissions::from_mode(mode_before)).unwrap();
        let before = fs::metadata(&path).unwrap();
        replace(&path, b"new").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), mode_before);
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_ne!(after.ino(), before.ino(), "the file is replaced at once");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn symbolic_links_are_followed() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("elsewhere")).unwrap();
    fs::write(path("elsewhere/file"), b"old").unwrap();
    symlink("elsewhere/file", path("link")).unwrap();
    symlink(path("link"), path("second")).unwrap();
    symlink("elsewhere/missing", path("dangling")).unwrap();
    replace(&path("second"), b"new").unwrap();
    replace(&path("dangling"), b"made").unwrap();
    assert_eq!(fs::read(path("elsewhere/file")).unwrap(), b"new");
    assert_eq!(fs::read(path("elsewhere/missing")).unwrap(), b"made");
    for link in ["link", "second", "dangling"] {
        assert!(fs::symlink_metadata(path(link)).unwrap().is_symlink());
    }
    symlink("loop", path("loop")).unwrap();
    replace(&path("loop"), b"").unwrap_err();
}

#[test]
fn hard_links_share_new_content() {
    let folder = tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    fs::write(&one, b"old").unwrap();
    fs::hard_link(&one, &other).unwrap();
    for content in [&b"longer than before"[..], b"short", b""] {
        replace(&one, content).unwrap();
        assert_eq!(fs::read(&other).unwrap(), content);
    }
}

#[test]
fn pipe_is_written_to() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let content = vec![7; 1 << 20];
    let mut read = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| replace(&path, &content).unwrap());
        fs::File::open(&path)
            .unwrap()
            .read_to_end(&mut read)
            .unwrap();
    });
    assert_eq!(read, content);
    assert!(!fs::metadata(&path).unwrap().is_file());
}

#[test]
fn full_device_is_an_error() {
    let folder = tempdir().unwrap();
    let link = folder.path().join("link");
    symlink("/dev/full", &link).unwrap();
    let error = replace(&link, b"content").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert!(!fs::metadata("/dev/full").unwrap().is_file());
}

#[test]
fn folder_is_an_error() {
    let folder = tempdir().unwrap();
    let error = replace(folder.path(), b"").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::IsADirectory);
}

#[test]
fn failed_write_leaves_nothing() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("missing/file");
    let error = replace(&missing, b"content").unwrap_err();
    assert_eq!(error.to_string(), "No such file or directory (os error 2)");
    create_private(&missing, b"content").unwrap_err();
    assert_eq!(names_in(folder.path()), 0);
}

#[test]
fn private_file_is_created_once() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("link");
    symlink("secret", &path).unwrap();
    create_private(&path, b"first").unwrap();
    let error = create_private(&path, b"second").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    let secret = folder.path().join("secret");
    assert_eq!(fs::read(&secret).unwrap(), b"first");
    assert_eq!(mode(&secret), 0o600);
    assert_eq!(names_in(folder.path()), 2);
}

#[test]
fn standard_output_is_recognized() {
    let folder = tempdir().unwrap();
    let link = folder.path().join("link");
    symlink("/dev/stdout", &link).unwrap();
    for path in [Path::new("/dev/stdout"), Path::new("/dev/fd/1"), &link] {
        assert!(is_standard_output(path), "{}", path.display());
    }
    for path in ["/dev/stderr", "/dev/null", "1", "fd/1"] {
        assert!(!is_standard_output(Path::new(path)), "{path}");
    }
}
