//! Copies of exports from folders that others can write to.

use audit::{Kind, fetch, verify};

use crate::world::{HONEST, Story, World};

#[test]
fn a_copy_is_the_export() {
    let export = HONEST.export();
    let copy = export.path.with_file_name("copy");
    let files = export.files();
    assert_eq!(fetch(&export.path, &copy).map(usize::try_from), Ok(Ok(files.len())));
    for name in files {
        assert_eq!(std::fs::read(copy.join(&name)).expect("a file"), export.read(&name));
    }
    assert_eq!(verify(&copy, &audit::Options::default()).exit_code(), 0);
    let again = fetch(&export.path, &copy).expect_err("never over another");
    assert_eq!(again.kind, Kind::Usage);
}

#[test]
fn nothing_comes_along_and_nothing_is_left_of_what_failed() {
    let export = HONEST.export();
    let parent = export.path.parent().expect("a folder").to_path_buf();
    let copy = export.path.with_file_name("copy");
    let refused = |kind: Kind| {
        assert_eq!(fetch(&export.path, &copy).expect_err("refused").kind, kind);
        assert_eq!(std::fs::read_dir(&parent).expect("a folder").count(), 1, "no copy is left");
    };
    for name in ["note.txt", "blob/.hidden", "tile/entries/x001/run.sh"] {
        export.write(name, b"#!/bin/sh");
        refused(Kind::Tampered);
        export.remove(name);
        let _ = std::fs::remove_dir(export.path.join("tile/entries/x001"));
    }
    export.remove("checkpoint");
    refused(Kind::Tampered);
    std::fs::remove_dir_all(&export.path).expect("removed");
    assert_eq!(fetch(&export.path, &copy).expect_err("nothing there").kind, Kind::NotFound);
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed_out_of_the_folder() {
    let export = HONEST.export();
    let blob = export.files().into_iter().find(|name| name.starts_with("blob/")).expect("a blob");
    export.remove(&blob);
    std::os::unix::fs::symlink("/etc/passwd", export.path.join(&blob)).expect("linked");
    let found = fetch(&export.path, &export.path.with_file_name("copy")).expect_err("refused");
    assert_eq!((found.kind, found.place), (Kind::Tampered, blob));
}

#[test]
fn what_is_tampered_is_copied_as_it_is() {
    let export = World::play(Story { sum_error: 1, ..Story::default() }).export();
    let copy = export.path.with_file_name("copy");
    fetch(&export.path, &copy).expect("a copy");
    let options = audit::Options::default();
    assert_eq!(verify(&copy, &options).finding, verify(&export.path, &options).finding);
}
