//! The half-MD4 hash by which large directories are indexed.
//!
//! One name is cut into pieces of 32 bytes; each is mixed into four words by eight steps of each of MD4's three
//! round functions. The first version hashed `char`s, signed on some machines, so the superblock says which.

/// How many words are mixed at a time.
const WORDS: usize = 8;
const PIECE: usize = WORDS * 4;
/// MD4's initial state, used where the file system has no seed of its own.
const MD4_STATE: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
/// The largest hash marks the end of a directory, so no name may have it.
const END_OF_DIRECTORY: u32 = 0xffff_fffe;

/// The hash of a name, lowest bit clear (in the index it marks a collision that goes on in the next block).
pub(super) fn half_md4(name: &[u8], seed: [u32; 4], unsigned: bool) -> u32 {
    let mut state = if seed == [0; 4] { MD4_STATE } else { seed };
    let mut rest = name;
    while !rest.is_empty() {
        mix(&mut state, &words_of(rest, unsigned));
        rest = &rest[rest.len().min(PIECE)..];
    }
    match state[1] & !1 {
        END_OF_DIRECTORY => END_OF_DIRECTORY - 2,
        hash => hash,
    }
}

/// The first bytes as big-endian words, the rest padded with the length of what is left.
fn words_of(rest: &[u8], unsigned: bool) -> [u32; WORDS] {
    let len = u32::try_from(rest.len()).unwrap_or(u32::MAX);
    let mut padding = len | len << 8;
    padding |= padding << 16;
    let mut words = [padding; WORDS];
    for (word, chunk) in words.iter_mut().zip(rest.chunks(4)) {
        for &byte in chunk {
            let value =
                if unsigned { u32::from(byte) } else { i32::from(byte.cast_signed()).cast_unsigned() };
            *word = (*word << 8).wrapping_add(value);
        }
    }
    words
}

type Round = fn(u32, u32, u32) -> u32;

/// The rounds: function, constant, order of the words, rotations.
const ROUNDS: [(Round, u32, [usize; WORDS], [u32; 4]); 3] = [
    (|x, y, z| z ^ (x & (y ^ z)), 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]),
    (|x, y, z| (x & y).wrapping_add((x ^ y) & z), 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]),
    (|x, y, z| x ^ y ^ z, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]),
];

fn mix(state: &mut [u32; 4], words: &[u32; WORDS]) {
    let [mut a, mut b, mut c, mut d] = *state;
    for (function, constant, order, rotations) in ROUNDS {
        for (step, &index) in order.iter().enumerate() {
            let sum = a.wrapping_add(function(b, c, d)).wrapping_add(words[index]).wrapping_add(constant);
            (a, b, c, d) = (d, sum.rotate_left(rotations[step % 4]), b, c);
        }
    }
    for (word, value) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(value);
    }
}

#[cfg(test)]
mod tests {
    use super::half_md4;

    #[test]
    fn hashes_are_those_that_debugfs_computes() {
        // debugfs -R 'dx_hash -h half_md4 [-s 01020304-0506-0708-090a-0b0c0d0e0f10] NAME'
        let seed = [0x0403_0201, 0x0807_0605, 0x0c0b_0a09, 0x100f_0e0d];
        for (name, hash) in KNOWN {
            assert_eq!(half_md4(name.as_bytes(), [0; 4], false), *hash, "{name}");
        }
        assert_eq!(half_md4(b"busybox", seed, false), SEEDED);
        assert_eq!(half_md4(b"busybox", seed, false), SEEDED);
        assert_ne!(half_md4("é".as_bytes(), [0; 4], true), half_md4("é".as_bytes(), [0; 4], false));
    }

    const KNOWN: &[(&str, u32)] = &[
        ("a", 0xd5fa_7d7a),
        ("busybox", 0x8375_e9e2),
        ("file-0001", 0xeeba_29b4),
        ("a-name-that-is-longer-than-thirty-two-bytes-by-far", 0x1300_8e08),
        ("é", 0x89d4_704e),
    ];
    const SEEDED: u32 = 0x6681_e57e;
}
