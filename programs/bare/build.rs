//! Names the linker script of the bare-metal programs.
fn main() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("bare.ld");
    println!("cargo:rerun-if-changed={}", script.display());
    println!("cargo:rustc-link-arg-bins=-T{}", script.display());
}
