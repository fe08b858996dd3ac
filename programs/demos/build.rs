//! How the demos are linked: at the usual Linux address, each segment in file pages of its own, so that a page
//! read from disk belongs to one segment and the demos' numbers are easy to explain. `sharedpage` is the exception:
//! it takes the linker's default, where the end of one segment and the start of the next share a file page.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/bin");
    let programs = std::fs::read_dir("src/bin").expect("the demos lie in src/bin");
    for program in programs {
        let path = program.expect("src/bin can be read").path();
        let name =
            path.file_stem().and_then(|s| s.to_str()).expect("a demo's name is plain ASCII").to_owned();
        println!("cargo::rustc-link-arg-bin={name}=--image-base=0x10000");
        if name != "sharedpage" {
            println!("cargo::rustc-link-arg-bin={name}=-zseparate-loadable-segments");
        }
    }
}
