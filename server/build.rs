//! Builds again when a file of the page comes, goes or changes; the macro that embeds them sees only known files.

fn main() {
    println!("cargo:rerun-if-changed=../www");
}
