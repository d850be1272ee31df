//! Rebuilds when a file of the page is added, removed or changed. The embedding macro tracks only known files.

fn main() {
    println!("cargo:rerun-if-changed=../www");
}
