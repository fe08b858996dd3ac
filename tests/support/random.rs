//! Values made by chance, from a seed that makes them again: numbers, and registers full of edge cases.
#![allow(dead_code)] // each test target uses its part
#![allow(clippy::cast_possible_truncation)] // numbers by chance: any part of one is as good

/// A generator with a seed (SplitMix64).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// One of `choices`.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
    /// An integer register's value: edges of every width, or anything.
    pub fn integer(&mut self) -> u64 {
        let edge =
            self.of(&[0, 1, u64::MAX, 1 << 63, i64::MAX as u64, 1 << 31, 0x7fff_ffff, u64::from(u32::MAX)]);
        match self.below(4) {
            0 => edge,
            1 => edge.wrapping_add(self.below(5)).wrapping_sub(2),
            2 => self.next() >> self.below(64),
            _ => self.next(),
        }
    }
    /// A floating-point register's value: specials, neighbours of one, small integers, subnormals, anything; as
    /// binary64, or as binary32 or binary16 in its box or out of it.
    pub fn float(&mut self) -> u64 {
        let sign = self.below(2);
        match self.below(10) {
            0 => self.single(),
            1..4 => u64::from(u32::MAX) << 32 | sign << 31 | self.single(),
            4 | 5 => u64::MAX << 16 | sign << 15 | self.half(),
            _ => sign << 63 | self.double(),
        }
    }
    fn double(&mut self) -> u64 {
        match self.below(6) {
            0 => self.of(&[0, 0x7ff0 << 48, 0x7ff8 << 48, 0x7ff0_0000_0000_0001, 1, 0x000f_ffff_ffff_ffff]),
            1 => (0x3ff0_u64 << 48).wrapping_add(self.below(4)).wrapping_sub(2),
            2 => (self.below(100) as f64).to_bits(),
            3 => self.next() >> 12 >> self.below(52),
            _ => self.next() >> 1,
        }
    }
    fn single(&mut self) -> u64 {
        match self.below(6) {
            0 => self.of(&[0, 0x7f80_0000, 0x7fc0_0000, 0x7f80_0001, 1, 0x007f_ffff]),
            1 => 0x3f80_0000_u64.wrapping_add(self.below(4)).wrapping_sub(2),
            2 => u64::from((self.below(100) as f32).to_bits()),
            3 => (self.next() & 0xffff_ffff) >> 9 >> self.below(23),
            _ => (self.next() & 0xffff_ffff) >> 1,
        }
    }
    fn half(&mut self) -> u64 {
        match self.below(6) {
            0 => self.of(&[0, 0x7c00, 0x7e00, 0x7c01, 1, 0x03ff]),
            1 => 0x3c00_u64.wrapping_add(self.below(4)).wrapping_sub(2),
            2 => self.below(0x400) >> self.below(10),
            _ => self.below(0x8000),
        }
    }
}
