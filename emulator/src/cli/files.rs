//! `folio image` and `folio kernel`: writes what `run` uses, so that it can be used elsewhere.

use super::args::{ImageArgs, KernelArgs};
use super::output;
use anyhow::Result;
use emulator::image::RootImage;

/// Writes the root image of a folder or a program.
pub fn image(args: &ImageArgs) -> Result<u8> {
    let built_in = guest_os::PROGRAMS.iter().find(|(name, _)| args.source.as_os_str() == *name);
    let image = if args.source.is_dir() {
        RootImage::from_folder(&args.source)?
    } else if let (false, Some((name, elf))) = (args.source.exists(), built_in) {
        RootImage::from_bytes(name, *elf)?
    } else {
        RootImage::from_program(&args.source, None)?
    };
    image.write_to(&args.output)?;
    Ok(0)
}

/// Writes the guest kernel.
pub fn kernel(args: &KernelArgs) -> Result<u8> {
    output::write(&args.output, guest_os::KERNEL_ELF)?;
    Ok(0)
}
