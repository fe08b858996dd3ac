//! Builds the guest (the kernel and the user programs) for riscv64 with a nested cargo and embeds the ELFs.
//!
//! A nested build needs three things: an environment without the outer build's `CARGO*` and `RUST*` variables, a
//! target directory of its own (the outer one is locked), and a compiler that can produce bare-metal riscv64 code;
//! [`Toolchain::find`] tries three. When this script itself runs inside the nested build, it only names the linker script.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GUEST_TARGET: &str = "riscv64gc-unknown-none-elf";
const GUEST_PROFILE: &str = "guest";
/// What of the outer environment the nested cargo must see; every other `CARGO*`/`RUST*` variable is dropped.
const KEEP: [&str; 3] = ["CARGO_HOME", "CARGO_MAKEFLAGS", "CARGO_NET_OFFLINE"];

/// The environment variable that names a folder of guest ELFs to embed instead of building them: for machines
/// that have no compiler for riscv64, and for builds that do not touch the guest.
const PREBUILT: &str = "FOLIO_GUEST_ELFS";

fn main() {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("TARGET").is_ok_and(|target| target == GUEST_TARGET) {
        let script = package.join("src/kernel/kernel.ld");
        println!("cargo:rerun-if-changed={}", script.display());
        println!("cargo:rustc-link-arg-bins=-T{}", script.display());
        return;
    }
    println!("cargo:rerun-if-env-changed={PREBUILT}");
    if let Some(folder) = env::var_os(PREBUILT) {
        let (kernel, programs) = prebuilt(Path::new(&folder));
        return write_embedded(&kernel, &programs);
    }
    let workspace = package.parent().expect("guest-os lies in the workspace").to_path_buf();
    for source in [
        "guest-os/Cargo.toml",
        "guest-os/src",
        "guest-os/abi",
        "guest-os/mm",
        "guest-os/fs",
        "guest-os/proc",
        "emulator/isa",
        "programs",
    ] {
        let path = workspace.join(source);
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    let guest = Guest { toolchain: Toolchain::find(), target_dir: target_dir().join("guest"), workspace };
    let kernel = guest
        .build(&guest.workspace.join("guest-os/Cargo.toml"), &["--bin", "kernel", "--features", "kernel"]);
    let programs_manifest = guest.workspace.join("programs/Cargo.toml");
    let programs = if programs_manifest.exists() {
        guest.build(&programs_manifest, &["--workspace", "--bins"])
    } else {
        Vec::new()
    };
    let [kernel] = kernel.as_slice() else { fail("the nested build of the kernel made no executable") };
    write_embedded(kernel, &programs);
}

/// The kernel and the programs of a folder that an earlier build has filled: every file without an extension.
fn prebuilt(folder: &Path) -> (PathBuf, Vec<PathBuf>) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| fail(&format!("{PREBUILT}: cannot read {}: {error}", folder.display())));
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.retain(|path| path.extension().is_none());
    files.sort();
    let (kernel, programs): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|path| path.file_name().is_some_and(|name| name == "kernel"));
    let [kernel] = kernel.as_slice() else {
        fail(&format!("{PREBUILT}: there is no file `kernel` in {}", folder.display()))
    };
    (kernel.clone(), programs)
}

/// Programs whose name starts so need no guest OS: they are for benches, not for `folio run`.
const BARE_PREFIX: &str = "bare_";

/// The generated Rust: `KERNEL_ELF`, `PROGRAMS` and `BARE_PROGRAMS`.
fn write_embedded(kernel: &Path, programs: &[PathBuf]) {
    let name = |program: &Path| {
        program.file_name().expect("an executable has a name").to_string_lossy().into_owned()
    };
    let (bare, user): (Vec<_>, Vec<_>) = programs
        .iter()
        .map(|program| (name(program), program))
        .partition(|(name, _)| name.starts_with(BARE_PREFIX));
    let mut text = String::new();
    let _ = writeln!(text, "/// The kernel's ELF image, debug information included.");
    let _ = writeln!(text, "pub static KERNEL_ELF: &[u8] = include_bytes!({kernel:?});");
    for (constant, what, list) in
        [("PROGRAMS", "user program", user), ("BARE_PROGRAMS", "bare-metal benchmark program", bare)]
    {
        let _ = writeln!(text, "/// Name and ELF image of each {what}, sorted by name.");
        let _ = writeln!(text, "pub static {constant}: &[(&str, &[u8])] = &[");
        for (name, program) in list {
            let _ = writeln!(text, "    ({name:?}, include_bytes!({program:?})),");
        }
        let _ = writeln!(text, "];");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("embedded.rs");
    fs::write(&out, text).unwrap_or_else(|error| fail(&format!("cannot write {}: {error}", out.display())));
}

/// The outer target directory: `OUT_DIR` is `<target>/[triple/]<profile>/build/<package>/out`.
fn target_dir() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let profile = out.ancestors().nth(3).expect("OUT_DIR lies deep in the target directory");
    let parent = profile.parent().expect("the profile directory has a parent");
    let is_triple =
        env::var("TARGET").is_ok_and(|target| parent.file_name().is_some_and(|name| *name == *target));
    if is_triple {
        parent.parent().expect("a triple's directory has a parent").to_path_buf()
    } else {
        parent.to_path_buf()
    }
}

struct Guest {
    toolchain: Toolchain,
    workspace: PathBuf,
    target_dir: PathBuf,
}

impl Guest {
    /// Runs the nested cargo and returns the executables it made, sorted.
    fn build(&self, manifest: &Path, arguments: &[&str]) -> Vec<PathBuf> {
        let mut command = Command::new(&self.toolchain.cargo);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let outer = text.starts_with("CARGO") || text.starts_with("RUST") || text.starts_with("DEP_");
            let build =
                ["TARGET", "HOST", "PROFILE", "OUT_DIR", "DEBUG", "OPT_LEVEL", "NUM_JOBS", "LD_LIBRARY_PATH"];
            if (outer && !KEEP.contains(&&*text)) || build.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        command.env("RUSTC", &self.toolchain.rustc).env("CARGO_ENCODED_RUSTFLAGS", self.rustflags());
        command.arg("build").arg("--manifest-path").arg(manifest).args(arguments);
        command.args([
            "--target",
            GUEST_TARGET,
            "--profile",
            GUEST_PROFILE,
            "--message-format=json-render-diagnostics",
        ]);
        command.arg("--target-dir").arg(&self.target_dir);
        if self.toolchain.build_std {
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
        }
        // The manifest's directory decides which configuration files the nested cargo reads.
        command.current_dir(manifest.parent().expect("a manifest lies in a directory"));
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => fail(&format!("cannot run {}: {error}", self.toolchain.cargo.display())),
        };
        if !output.status.success() {
            fail(&format!(
                "building {} for {GUEST_TARGET} failed:\n{}",
                manifest.display(),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        let mut executables: Vec<PathBuf> =
            String::from_utf8_lossy(&output.stdout).lines().filter_map(executable_of).collect();
        executables.sort();
        executables
    }

    /// Paths of this machine must not reach the ELFs, or two machines would build two kernels.
    fn rustflags(&self) -> String {
        let mut flags = vec![format!("--remap-path-prefix={}=folio", self.workspace.display())];
        let cargo_home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
        if let Some(home) = cargo_home {
            flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
        }
        flags.join("\u{1f}")
    }
}

/// The path in a line of cargo's JSON messages that announces an executable. The one value wanted is a plain string,
/// so a JSON parser (a build dependency for everyone) would not pay.
fn executable_of(line: &str) -> Option<PathBuf> {
    let (_, rest) = line.split_once("\"executable\":\"")?;
    let (path, _) = rest.split_once('"')?;
    Some(PathBuf::from(path.replace("\\\\", "\\")))
}

/// A compiler that can build for the guest.
struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    build_std: bool,
}

impl Toolchain {
    fn find() -> Self {
        let active =
            |name: &str| PathBuf::from(env::var_os(name).unwrap_or_else(|| name.to_lowercase().into()));
        let (cargo, rustc) = (active("CARGO"), active("RUSTC"));
        if print(&rustc, &["--print", "target-libdir", "--target", GUEST_TARGET])
            .is_some_and(|dir| dir.is_dir())
        {
            return Self { cargo, rustc, build_std: false };
        }
        if has_library_source(&rustc) {
            return Self { cargo, rustc, build_std: true };
        }
        let system = PathBuf::from("/usr/bin/rustc");
        if has_library_source(&system) {
            return Self { cargo: PathBuf::from("/usr/bin/cargo"), rustc: system, build_std: true };
        }
        fail(&format!(
            "no compiler for the guest ({GUEST_TARGET}) found; run: rustup target add {GUEST_TARGET}"
        ))
    }
}

fn has_library_source(rustc: &Path) -> bool {
    print(rustc, &["--print", "sysroot"])
        .is_some_and(|root| root.join("lib/rustlib/src/rust/library/core").is_dir())
}

/// What `rustc` prints for a question whose answer is a path.
fn print(rustc: &Path, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(rustc).args(arguments).output().ok()?;
    output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn fail(message: &str) -> ! {
    eprintln!("guest-os: {message}");
    std::process::exit(1)
}
