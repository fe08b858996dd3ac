//! The device tree: the board as firmware and kernels see it, built by vm-fdt from the configuration alone.
//!
//! Node names and properties are those of QEMU's `virt` board, the host device (`folio,host`) and the
//! `folio,` properties of `/chosen` apart. There is no `rng-seed`: equal configurations make equal trees.

use crate::devices::board::{CONSOLE_NODE, PHANDLE_FINISHER, PHANDLE_PLIC, Property, ROWS, Row};
use isa::platform::RAM_BASE;
use isa::time::TIMEBASE_HZ;
use isa::{Extension, IsaSet};
use vm_fdt::{Error, FdtWriter};

/// What `/chosen` tells the kernel.
#[derive(Clone, Copy, Default, Debug)]
pub struct Chosen<'a> {
    /// The kernel's command line.
    pub bootargs: &'a str,
    /// The program's path inside the root image.
    pub program: &'a [u8],
    /// The program's arguments, its name first.
    pub argv: &'a [Vec<u8>],
    /// The program's environment, `NAME=value` each.
    pub envp: &'a [Vec<u8>],
    /// The program's working directory.
    pub cwd: &'a [u8],
}

/// The board to describe.
#[derive(Clone, Debug)]
pub struct Board<'a> {
    /// Size of RAM.
    pub ram_bytes: u64,
    /// Number of harts.
    pub harts: u32,
    /// The extensions of each.
    pub isa: IsaSet,
    /// First and past-the-last byte of the initial RAM disk.
    pub initrd: Option<(u64, u64)>,
    /// What to tell the kernel.
    pub chosen: Chosen<'a>,
}

/// Bytes of a cache block, for cache-block instructions (Zic64b).
const CACHE_BLOCK_BYTES: u32 = 64;
const PHANDLE_CPU0: u32 = 0x10;
const PHANDLE_INTC0: u32 = 0x100;

/// Builds the flattened device tree.
pub fn build(board: &Board<'_>) -> Result<Vec<u8>, Error> {
    let mut fdt = FdtWriter::new()?;
    let root = fdt.begin_node("")?;
    fdt.property_u32("#address-cells", 2)?;
    fdt.property_u32("#size-cells", 2)?;
    fdt.property_string("compatible", "riscv-virtio")?;
    fdt.property_string("model", "folio,virt")?;
    chosen(&mut fdt, board)?;
    let memory = fdt.begin_node(&format!("memory@{:x}", RAM_BASE.0))?;
    fdt.property_string("device_type", "memory")?;
    fdt.property_array_u64("reg", &[RAM_BASE.0, board.ram_bytes])?;
    fdt.end_node(memory)?;
    cpus(&mut fdt, board.harts, board.isa)?;
    soc(&mut fdt, board.harts)?;
    for (name, value) in [("poweroff", 0x5555), ("reboot", 0x7777)] {
        let node = fdt.begin_node(name)?;
        fdt.property_string("compatible", &format!("syscon-{name}"))?;
        fdt.property_u32("regmap", PHANDLE_FINISHER)?;
        fdt.property_u32("offset", 0)?;
        fdt.property_u32("value", value)?;
        fdt.end_node(node)?;
    }
    fdt.end_node(root)?;
    fdt.finish()
}

fn chosen(fdt: &mut FdtWriter, board: &Board<'_>) -> Result<(), Error> {
    let node = fdt.begin_node("chosen")?;
    if let Some(console) = ROWS.iter().find(|row| row.node == CONSOLE_NODE) {
        fdt.property_string("stdout-path", &format!("/soc/{}", node_name(console, 0)))?;
    }
    let chosen = &board.chosen;
    if !chosen.bootargs.is_empty() {
        fdt.property_string("bootargs", chosen.bootargs)?;
    }
    if let Some((start, end)) = board.initrd {
        fdt.property_u64("linux,initrd-start", start)?;
        fdt.property_u64("linux,initrd-end", end)?;
    }
    if !chosen.program.is_empty() {
        fdt.property("folio,program", &nul_terminated(&[chosen.program.to_vec()]))?;
        fdt.property("folio,argv", &nul_terminated(chosen.argv))?;
        fdt.property("folio,envp", &nul_terminated(chosen.envp))?;
        fdt.property("folio,cwd", &nul_terminated(&[chosen.cwd.to_vec()]))?;
    }
    fdt.end_node(node)
}

fn nul_terminated(list: &[Vec<u8>]) -> Vec<u8> {
    list.iter().flat_map(|item| item.iter().copied().chain([0])).collect()
}

fn cpus(fdt: &mut FdtWriter, harts: u32, isa: IsaSet) -> Result<(), Error> {
    let cpus = fdt.begin_node("cpus")?;
    fdt.property_u32("#address-cells", 1)?;
    fdt.property_u32("#size-cells", 0)?;
    fdt.property_u32("timebase-frequency", u32::try_from(TIMEBASE_HZ).expect("10 MHz"))?;
    for hart in 0..harts {
        let cpu = fdt.begin_node(&format!("cpu@{hart:x}"))?;
        fdt.property_phandle(PHANDLE_CPU0 + hart)?;
        fdt.property_string("device_type", "cpu")?;
        fdt.property_u32("reg", hart)?;
        fdt.property_string("status", "okay")?;
        fdt.property_string("compatible", "riscv")?;
        fdt.property_string("riscv,isa", &isa.to_string())?;
        fdt.property_string("riscv,isa-base", "rv64i")?;
        fdt.property_string_list("riscv,isa-extensions", isa.names().map(str::to_owned).collect())?;
        for (extension, operation) in
            [(Extension::Zicbom, "cbom"), (Extension::Zicbop, "cbop"), (Extension::Zicboz, "cboz")]
        {
            if isa.contains(extension) {
                fdt.property_u32(&format!("riscv,{operation}-block-size"), CACHE_BLOCK_BYTES)?;
            }
        }
        let mmu = isa.widest_translation().map_or("none", Extension::name);
        fdt.property_string("mmu-type", &format!("riscv,{mmu}"))?;
        let intc = fdt.begin_node("interrupt-controller")?;
        fdt.property_u32("#interrupt-cells", 1)?;
        fdt.property_null("interrupt-controller")?;
        fdt.property_string("compatible", "riscv,cpu-intc")?;
        fdt.property_phandle(PHANDLE_INTC0 + hart)?;
        fdt.end_node(intc)?;
        fdt.end_node(cpu)?;
    }
    if harts > 1 {
        cpu_map(fdt, harts)?;
    }
    fdt.end_node(cpus)
}

/// The topology, as QEMU has it: each hart is a core of the one cluster.
fn cpu_map(fdt: &mut FdtWriter, harts: u32) -> Result<(), Error> {
    let map = fdt.begin_node("cpu-map")?;
    let cluster = fdt.begin_node("cluster0")?;
    for hart in 0..harts {
        let core = fdt.begin_node(&format!("core{hart}"))?;
        fdt.property_u32("cpu", PHANDLE_CPU0 + hart)?;
        fdt.end_node(core)?;
    }
    fdt.end_node(cluster)?;
    fdt.end_node(map)
}

fn soc(fdt: &mut FdtWriter, harts: u32) -> Result<(), Error> {
    let soc = fdt.begin_node("soc")?;
    fdt.property_u32("#address-cells", 2)?;
    fdt.property_u32("#size-cells", 2)?;
    fdt.property_string("compatible", "simple-bus")?;
    fdt.property_null("ranges")?;
    let mut rows: Vec<&Row> = ROWS.iter().filter(|row| row.window.len_bytes > 0).collect();
    rows.sort_by_key(|row| row.window.base);
    for row in rows {
        for unit in 0..row.units {
            device(fdt, row, unit, harts)?;
        }
    }
    fdt.end_node(soc)
}

fn node_name(row: &Row, unit: usize) -> String {
    format!("{}@{:x}", row.node, row.unit(unit).base.0)
}

fn device(fdt: &mut FdtWriter, row: &Row, unit: usize, harts: u32) -> Result<(), Error> {
    let window = row.unit(unit);
    let node = fdt.begin_node(&node_name(row, unit))?;
    fdt.property_string_list("compatible", row.compatible.iter().map(|&name| name.to_owned()).collect())?;
    fdt.property_array_u64("reg", &[window.base.0, window.len_bytes])?;
    if let Some(first) = row.first_source {
        let unit = u32::try_from(unit).expect("a device has few units");
        fdt.property_u32("interrupt-parent", PHANDLE_PLIC)?;
        fdt.property_u32("interrupts", first + unit)?;
    }
    for property in row.properties {
        match *property {
            Property::Empty(name) => fdt.property_null(name)?,
            Property::Number(name, value) => fdt.property_u32(name, value)?,
            Property::Phandle(phandle) => fdt.property_phandle(phandle)?,
            Property::HartInterrupts(interrupts) => {
                let of_hart = |hart| interrupts.map(|interrupt| [PHANDLE_INTC0 + hart, interrupt as u32]);
                let cells: Vec<u32> = (0..harts).flat_map(of_hart).flatten().collect();
                fdt.property_array_u32("interrupts-extended", &cells)?;
            }
        }
    }
    fdt.end_node(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::platform;

    fn tree() -> Vec<u8> {
        let argv = [b"/bin/echo".to_vec(), b"hi there".to_vec()];
        let envp = [b"A=1".to_vec()];
        let isa = IsaSet::default();
        let chosen = Chosen { bootargs: "quiet", program: b"/bin/echo", argv: &argv, envp: &envp, cwd: b"/" };
        build(&Board { ram_bytes: 64 << 20, harts: 1, isa, initrd: Some((0x8100_0000, 0x8100_1000)), chosen })
            .unwrap()
    }

    #[test]
    fn the_tree_parses_back() {
        let bytes = tree();
        let fdt = ::fdt::Fdt::new(&bytes).unwrap();
        let region = fdt.memory().regions().next().unwrap();
        assert_eq!((region.starting_address as u64, region.size), (RAM_BASE.0, Some(64 << 20)));
        assert_eq!(fdt.cpus().count(), 1);
        assert_eq!(fdt.cpus().next().unwrap().timebase_frequency(), 10_000_000);
        assert_eq!(fdt.chosen().bootargs(), Some("quiet"));
        assert_eq!(fdt.chosen().stdout().unwrap().name, "serial@10000000");
        for (compatible, address) in [
            ("sifive,clint0", platform::CLINT),
            ("sifive,plic-1.0.0", platform::PLIC),
            ("ns16550a", platform::UART),
            ("google,goldfish-rtc", platform::RTC),
            ("sifive,test1", platform::FINISHER),
            ("folio,host", platform::HOST),
            ("virtio,mmio", platform::VIRTIO),
        ] {
            let node = fdt.find_compatible(&[compatible]).unwrap();
            let region = node.reg().unwrap().next().unwrap();
            assert_eq!(region.starting_address as u64, address.base.0, "{compatible}");
            assert_eq!(region.size.unwrap() as u64, address.len_bytes, "{compatible}");
        }
        assert_eq!(fdt.all_nodes().filter(|node| node.name.starts_with("virtio_mmio@")).count(), 8);
    }

    #[test]
    fn chosen_holds_the_program_and_its_lists() {
        let bytes = tree();
        let fdt = ::fdt::Fdt::new(&bytes).unwrap();
        let chosen = fdt.find_node("/chosen").unwrap();
        for (name, value) in [
            ("folio,program", &b"/bin/echo\0"[..]),
            ("folio,argv", b"/bin/echo\0hi there\0"),
            ("folio,envp", b"A=1\0"),
            ("folio,cwd", b"/\0"),
            ("linux,initrd-start", &0x8100_0000u64.to_be_bytes()),
        ] {
            assert_eq!(chosen.property(name).unwrap().value, value, "{name}");
        }
    }

    #[test]
    fn each_hart_is_a_cpu_with_its_interrupts() {
        let isa = IsaSet::default();
        let board = Board { ram_bytes: 64 << 20, harts: 4, isa, initrd: None, chosen: Chosen::default() };
        let bytes = build(&board).unwrap();
        let fdt = ::fdt::Fdt::new(&bytes).unwrap();
        assert_eq!(fdt.cpus().map(|cpu| cpu.ids().first()).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let words = |value: &[u8]| -> Vec<u32> {
            value.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect()
        };
        let phandle = |path: &str| words(fdt.find_node(path).unwrap().property("phandle").unwrap().value)[0];
        for (compatible, codes) in [("sifive,clint0", [3, 7]), ("sifive,plic-1.0.0", [11, 9])] {
            let node = fdt.find_compatible(&[compatible]).unwrap();
            let expected: Vec<u32> = (0..4)
                .flat_map(|hart| {
                    let intc = phandle(&format!("/cpus/cpu@{hart}/interrupt-controller"));
                    [intc, codes[0], intc, codes[1]]
                })
                .collect();
            assert_eq!(words(node.property("interrupts-extended").unwrap().value), expected, "{compatible}");
        }
        for hart in 0..4 {
            let core = fdt.find_node(&format!("/cpus/cpu-map/cluster0/core{hart}")).unwrap();
            assert_eq!(words(core.property("cpu").unwrap().value), [phandle(&format!("/cpus/cpu@{hart}"))]);
        }
    }

    #[test]
    fn a_cpu_lists_the_extensions_that_are_on() {
        for (text, string, mmu, blocks) in [
            (
                "rv64imac_sv39",
                "rv64imac_zic64b_ziccamoa_ziccid_ziccif_zicclsm_ziccrse_zicsr_zifencei_zmmul_za64rs_zca_zkt_ssccptr_sscounterenw_sstvala_sstvecd_svade_svbare",
                "sv39",
                0,
            ),
            (
                "rva22s64_svadu_sv48",
                "rv64imafdcb_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccid_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihintpause_zihpm_zmmul_za64rs_zfhmin_zca_zcd_zba_zbb_zbs_zkt_ssccptr_sscounterenw_sstvala_sstvecd_svade_svadu_svbare_svinval_svpbmt",
                "sv48",
                3,
            ),
        ] {
            let isa = IsaSet::parse(text).unwrap();
            let chosen = Chosen::default();
            let bytes = build(&Board { ram_bytes: 64 << 20, harts: 1, isa, initrd: None, chosen }).unwrap();
            let fdt = ::fdt::Fdt::new(&bytes).unwrap();
            let cpu = fdt.find_node("/cpus/cpu@0").unwrap();
            let strings = |name: &str| {
                let value = cpu.property(name).unwrap().value;
                let text = std::str::from_utf8(value.strip_suffix(b"\0").unwrap()).unwrap();
                text.split('\0').map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(strings("riscv,isa"), [string]);
            let (letters, names) = string.split_once('_').unwrap();
            let letters = letters.strip_prefix("rv64").unwrap().chars().map(String::from);
            let expected: Vec<String> = letters.chain(names.split('_').map(str::to_owned)).collect();
            assert_eq!(strings("riscv,isa-extensions"), expected);
            assert_eq!(strings("mmu-type"), [format!("riscv,{mmu}")]);
            let sizes = cpu.properties().filter(|p| p.name.ends_with("-block-size"));
            assert_eq!(sizes.filter(|p| p.value == 64u32.to_be_bytes()).count(), blocks);
        }
    }

    #[test]
    fn equal_boards_make_equal_trees() {
        assert_eq!(tree(), tree());
    }
}
