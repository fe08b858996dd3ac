//! The device tree: the board as firmware and kernels see it, built by dtoolkit from the configuration alone.
//!
//! Node names and properties are those of QEMU's `virt` board, the host device (`folio,host`) and the
//! `folio,` properties of `/chosen` apart. Equal configurations make equal trees.

use super::dtb;
use crate::devices::board::{CONSOLE_NODE, PHANDLE_FINISHER, PHANDLE_PLIC, Property, ROWS, Row};
use crate::random::SplitMix64;
use dtoolkit::ToPropertyValue;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use isa::platform::RAM_BASE;
use isa::time::TIMEBASE_HZ;
use isa::{Extension, IsaSet};

/// What `/chosen` tells the kernel.
#[derive(Clone, Copy, Default, Debug)]
pub struct Chosen<'a> {
    /// The kernel's command line.
    pub bootargs: &'a str,
    /// What `rng-seed` follows from; without, there is none. It lets a kernel's random numbers begin at once, and equal seeds
    /// make equal runs.
    pub seed: Option<u64>,
    /// The program's path inside the root image.
    pub program: &'a [u8],
    /// The program's arguments, its name first.
    pub argv: &'a [Vec<u8>],
    /// The program's environment, `NAME=value` each.
    pub envp: &'a [Vec<u8>],
    /// The program's working directory.
    pub cwd: &'a [u8],
    /// What of the host's it sees, and where: texts of [`isa::binds::Place`].
    pub binds: &'a [Vec<u8>],
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

/// The seed is taken from another stream than what an entropy source gives, which begins at the machine's seed itself.
const RNG_SEED_STREAM: u64 = 0x666f_6c69_6f2d_6674;
/// As many words as Linux's generator holds.
const RNG_SEED_WORDS: usize = 4;

/// What a kernel is told of itself, whoever has written the tree: names and values in `/chosen`.
pub fn told_in_chosen(chosen: &Chosen<'_>, initrd: Option<(u64, u64)>) -> Vec<(&'static str, Vec<u8>)> {
    let mut told = Vec::new();
    if !chosen.bootargs.is_empty() {
        told.push(("bootargs", strings([chosen.bootargs])));
    }
    if let Some((start, end)) = initrd {
        told.push(("linux,initrd-start", start.to_be_bytes().to_vec()));
        told.push(("linux,initrd-end", end.to_be_bytes().to_vec()));
    }
    told
}

/// Builds the flattened device tree.
pub fn build(board: &Board<'_>) -> Vec<u8> {
    let mut tree = DeviceTree::new();
    let memory = named("memory", RAM_BASE.0)
        .with("device_type", "memory")
        .with("reg", cells([RAM_BASE.0, board.ram_bytes].map(u64::to_be_bytes)));
    let syscon = [("poweroff", 0x5555u32), ("reboot", 0x7777)].map(|(name, value)| {
        node(name)
            .with("compatible", format!("syscon-{name}").as_str())
            .with("regmap", PHANDLE_FINISHER)
            .with("offset", 0u32)
            .with("value", value)
    });
    tree.root = node("")
        .with("#address-cells", 2u32)
        .with("#size-cells", 2u32)
        .with("compatible", "riscv-virtio")
        .with("model", "folio,virt")
        .holding([chosen(board), memory, cpus(board.harts, board.isa), soc(board.harts)])
        .holding(syscon);
    dtb::with_room(tree.to_dtb())
}

/// A node is put together from what it says and what it holds. The names are this file's and the board's own.
trait Build: Sized {
    fn with(self, name: &str, value: impl ToPropertyValue) -> Self;
    fn holding(self, nodes: impl IntoIterator<Item = DeviceTreeNode>) -> Self;
}

impl Build for DeviceTreeNode {
    fn with(mut self, name: &str, value: impl ToPropertyValue) -> Self {
        self.add_property(DeviceTreeProperty::new_unchecked(name, value));
        self
    }
    fn holding(mut self, nodes: impl IntoIterator<Item = DeviceTreeNode>) -> Self {
        nodes.into_iter().for_each(|node| self.add_child(node));
        self
    }
}

fn node(name: &str) -> DeviceTreeNode {
    DeviceTreeNode::new_unchecked(name)
}

/// A node with its address in its name.
fn named(name: &str, address: u64) -> DeviceTreeNode {
    node(&format!("{name}@{address:x}"))
}

/// A property of no value: that it is there says all.
const EMPTY: &[u8] = &[];

fn cells<const N: usize>(cells: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
    cells.into_iter().flatten().collect()
}

fn strings<T: AsRef<[u8]>>(list: impl IntoIterator<Item = T>) -> Vec<u8> {
    list.into_iter().flat_map(|item| item.as_ref().iter().copied().chain([0]).collect::<Vec<u8>>()).collect()
}

fn chosen(board: &Board<'_>) -> DeviceTreeNode {
    let mut node = node("chosen");
    if let Some(console) = ROWS.iter().find(|row| row.node == CONSOLE_NODE) {
        let path = format!("/soc/{}@{:x}", console.node, console.window.base.0);
        node = node.with("stdout-path", path.as_str());
    }
    let chosen = &board.chosen;
    for (name, value) in told_in_chosen(chosen, board.initrd) {
        node = node.with(name, value);
    }
    if let Some(seed) = chosen.seed {
        let mut random = SplitMix64::new(seed ^ RNG_SEED_STREAM);
        node = node.with("rng-seed", cells((0..RNG_SEED_WORDS).map(|_| random.next().to_be_bytes())));
    }
    if !chosen.program.is_empty() {
        node = node
            .with("folio,program", strings([chosen.program]))
            .with("folio,argv", strings(chosen.argv))
            .with("folio,envp", strings(chosen.envp))
            .with("folio,cwd", strings([chosen.cwd]));
        if !chosen.binds.is_empty() {
            node = node.with("folio,binds", strings(chosen.binds));
        }
    }
    node
}

fn cpus(harts: u32, isa: IsaSet) -> DeviceTreeNode {
    node("cpus")
        .with("#address-cells", 1u32)
        .with("#size-cells", 0u32)
        .with("timebase-frequency", u32::try_from(TIMEBASE_HZ).expect("10 MHz"))
        .holding((0..harts).map(|hart| cpu(hart, isa)))
        .holding((harts > 1).then(|| cpu_map(harts)))
}

fn cpu(hart: u32, isa: IsaSet) -> DeviceTreeNode {
    let mut cpu = named("cpu", hart.into())
        .with("phandle", PHANDLE_CPU0 + hart)
        .with("device_type", "cpu")
        .with("reg", hart)
        .with("status", "okay")
        .with("compatible", "riscv")
        .with("riscv,isa", isa.to_string().as_str())
        .with("riscv,isa-base", "rv64i")
        .with("riscv,isa-extensions", strings(isa.names()));
    for (extension, operation) in
        [(Extension::Zicbom, "cbom"), (Extension::Zicbop, "cbop"), (Extension::Zicboz, "cboz")]
    {
        if isa.contains(extension) {
            cpu = cpu.with(&format!("riscv,{operation}-block-size"), CACHE_BLOCK_BYTES);
        }
    }
    let mmu = isa.widest_translation().map_or("none", Extension::name);
    let intc = node("interrupt-controller")
        .with("#interrupt-cells", 1u32)
        .with("interrupt-controller", EMPTY)
        .with("compatible", "riscv,cpu-intc")
        .with("phandle", PHANDLE_INTC0 + hart);
    cpu.with("mmu-type", format!("riscv,{mmu}").as_str()).holding([intc])
}

/// The topology, as QEMU has it: each hart is a core of the one cluster.
fn cpu_map(harts: u32) -> DeviceTreeNode {
    let core = |hart| node(&format!("core{hart}")).with("cpu", PHANDLE_CPU0 + hart);
    node("cpu-map").holding([node("cluster0").holding((0..harts).map(core))])
}

fn soc(harts: u32) -> DeviceTreeNode {
    let mut rows: Vec<&Row> = ROWS.iter().filter(|row| row.window.len_bytes > 0).collect();
    rows.sort_by_key(|row| row.window.base);
    node("soc")
        .with("#address-cells", 2u32)
        .with("#size-cells", 2u32)
        .with("compatible", "simple-bus")
        .with("ranges", EMPTY)
        .holding(rows.into_iter().flat_map(|row| (0..row.units).map(move |unit| device(row, unit, harts))))
}

fn device(row: &Row, unit: usize, harts: u32) -> DeviceTreeNode {
    let window = row.unit(unit);
    let mut node = named(row.node, window.base.0)
        .with("compatible", strings(row.compatible))
        .with("reg", cells([window.base.0, window.len_bytes].map(u64::to_be_bytes)));
    if let Some(first) = row.first_source {
        let unit = u32::try_from(unit).expect("a device has few units");
        node = node.with("interrupt-parent", PHANDLE_PLIC).with("interrupts", first + unit);
    }
    for property in row.properties {
        node = match *property {
            Property::Empty(name) => node.with(name, EMPTY),
            Property::Number(name, value) => node.with(name, value),
            Property::Phandle(phandle) => node.with("phandle", phandle),
            Property::HartInterrupts(interrupts) => {
                let of_hart = |hart| interrupts.map(|interrupt| [PHANDLE_INTC0 + hart, interrupt as u32]);
                let words = (0..harts).flat_map(of_hart).flatten();
                node.with("interrupts-extended", cells(words.map(u32::to_be_bytes)))
            }
        };
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtoolkit::fdt::Fdt;
    use dtoolkit::standard::NodeStandard;
    use dtoolkit::{Node, Property as _};
    use isa::platform;

    /// The tree as its bytes tell it.
    fn read(board: &Board<'_>) -> DeviceTree {
        DeviceTree::from_fdt(&Fdt::new(&build(board)).unwrap())
    }
    fn board(harts: u32, isa: IsaSet) -> Board<'static> {
        Board { ram_bytes: 64 << 20, harts, isa, initrd: None, chosen: Chosen::default() }
    }
    fn bytes<'t>(tree: &'t DeviceTree, path: &str, name: &str) -> &'t [u8] {
        let node = tree.find_node(path).unwrap_or_else(|| panic!("no {path}"));
        let property = node.properties().find(|property| property.name() == name);
        property.unwrap_or_else(|| panic!("{path} has no {name}")).value_as::<&[u8]>().unwrap()
    }
    fn words(tree: &DeviceTree, path: &str, name: &str) -> Vec<u32> {
        let cells = bytes(tree, path, name).chunks(4);
        cells.map(|cell| u32::from_be_bytes(cell.try_into().unwrap())).collect()
    }
    fn texts<'t>(tree: &'t DeviceTree, path: &str, name: &str) -> Vec<&'t str> {
        let text = std::str::from_utf8(bytes(tree, path, name).strip_suffix(b"\0").unwrap()).unwrap();
        text.split('\0').collect()
    }

    #[test]
    fn the_tree_parses_back() {
        let mut board = board(1, IsaSet::default());
        board.chosen.bootargs = "quiet";
        let tree = read(&board);
        assert_eq!(words(&tree, "/memory", "reg"), [0, 0x8000_0000, 0, 64 << 20]);
        assert_eq!(words(&tree, "/cpus", "timebase-frequency"), [10_000_000]);
        assert_eq!(texts(&tree, "/chosen", "bootargs"), ["quiet"]);
        let console = texts(&tree, "/chosen", "stdout-path")[0];
        assert_eq!(texts(&tree, console, "compatible"), ["ns16550a"]);
        let soc = tree.find_node("/soc").unwrap();
        for (compatible, window) in [
            ("sifive,clint0", platform::CLINT),
            ("sifive,plic-1.0.0", platform::PLIC),
            ("ns16550a", platform::UART),
            ("google,goldfish-rtc", platform::RTC),
            ("sifive,test1", platform::FINISHER),
            ("folio,host", platform::HOST),
            ("virtio,mmio", platform::VIRTIO),
        ] {
            let node = soc.find_compatible(compatible).next().unwrap();
            let expected = cells([window.base.0, window.len_bytes].map(u64::to_be_bytes));
            assert_eq!(node.property("reg").unwrap().value(), expected, "{compatible}");
        }
        assert_eq!(soc.find_compatible("virtio,mmio").count(), 8);
    }

    #[test]
    fn chosen_holds_the_program_and_its_lists() {
        let argv = [b"/bin/echo".to_vec(), b"hi there".to_vec()];
        let envp = [b"A=1".to_vec()];
        let mut board = board(1, IsaSet::default());
        board.initrd = Some((0x8100_0000, 0x8100_1000));
        board.chosen =
            Chosen { program: b"/bin/echo", argv: &argv, envp: &envp, cwd: b"/", ..Chosen::default() };
        let tree = read(&board);
        for (name, value) in [
            ("folio,program", &b"/bin/echo\0"[..]),
            ("folio,argv", b"/bin/echo\0hi there\0"),
            ("folio,envp", b"A=1\0"),
            ("folio,cwd", b"/\0"),
            ("linux,initrd-start", &0x8100_0000u64.to_be_bytes()),
        ] {
            assert_eq!(bytes(&tree, "/chosen", name), value, "{name}");
        }
    }

    #[test]
    fn each_hart_is_a_cpu_with_its_interrupts() {
        let tree = read(&board(4, IsaSet::default()));
        let cpus = tree.find_node("/cpus").unwrap().children();
        assert_eq!(cpus.filter(|node| node.name().starts_with("cpu@")).count(), 4);
        let phandle = |path: &str| words(&tree, path, "phandle")[0];
        for (path, codes) in [("/soc/clint", [3, 7]), ("/soc/plic", [11, 9])] {
            let expected: Vec<u32> = (0..4)
                .flat_map(|hart| {
                    let intc = phandle(&format!("/cpus/cpu@{hart}/interrupt-controller"));
                    [intc, codes[0], intc, codes[1]]
                })
                .collect();
            assert_eq!(words(&tree, path, "interrupts-extended"), expected, "{path}");
        }
        for hart in 0..4 {
            assert_eq!(words(&tree, &format!("/cpus/cpu@{hart}"), "reg"), [hart]);
            let core = format!("/cpus/cpu-map/cluster0/core{hart}");
            assert_eq!(words(&tree, &core, "cpu"), [phandle(&format!("/cpus/cpu@{hart}"))]);
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
            let tree = read(&board(1, isa));
            let strings = |name: &str| texts(&tree, "/cpus/cpu@0", name);
            assert_eq!(strings("riscv,isa"), [string]);
            let (letters, names) = string.split_once('_').unwrap();
            let letters = letters.strip_prefix("rv64").unwrap().chars().map(String::from);
            let expected: Vec<String> = letters.chain(names.split('_').map(str::to_owned)).collect();
            assert_eq!(strings("riscv,isa-extensions"), expected);
            assert_eq!(strings("mmu-type"), [format!("riscv,{mmu}")]);
            let cpu = tree.find_node("/cpus/cpu@0").unwrap();
            let sizes = cpu.properties().filter(|p| p.name().ends_with("-block-size"));
            assert_eq!(sizes.filter(|p| p.value() == 64u32.to_be_bytes()).count(), blocks);
        }
    }

    #[test]
    fn equal_boards_make_equal_trees() {
        let board = board(2, IsaSet::default());
        assert_eq!(build(&board), build(&board));
    }

    #[test]
    fn the_seed_of_a_kernels_random_numbers_follows_from_the_machines() {
        let seed_of = |seed| {
            let mut board = board(1, IsaSet::default());
            board.chosen.seed = Some(seed);
            bytes(&read(&board), "/chosen", "rng-seed").to_vec()
        };
        assert_eq!((seed_of(1).len(), seed_of(1) == seed_of(1), seed_of(1) == seed_of(2)), (32, true, false));
        assert!(
            read(&board(1, IsaSet::default())).find_node("/chosen").unwrap().property("rng-seed").is_none()
        );
    }

    #[test]
    fn a_tree_has_room_to_grow() {
        let tree = build(&board(1, IsaSet::default()));
        let field = |at: usize| u32::from_be_bytes(tree[at..at + 4].try_into().unwrap()) as usize;
        let end = (field(8) + field(36)).max(field(12) + field(32));
        assert_eq!(field(4), tree.len());
        assert!(tree.len() - end >= 4096);
    }
}
