//! Reference strings by chance, a piece at a time.

use crate::rng::Rng;

/// A load or a store.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    pub page: u64,
    pub is_store: bool,
}

/// Some hundred references of one kind, among up to four times as many pages as there are frames.
pub fn piece(rng: &mut Rng, frames: u32) -> Vec<Reference> {
    let frames = u64::from(frames);
    let pages = frames + 1 + rng.below(3 * frames);
    let len = 100 + rng.below(900);
    let stores = rng.pick(&[1, 2, 5, 20]);
    let mut at = rng.below(pages);
    let kind = rng.below(6);
    let loop_pages = (frames - 1 + rng.below(4)).min(pages);
    let mut reference = |i: u64| -> u64 {
        match kind {
            // Any page.
            0 => rng.below(pages),
            // Few pages often and many seldom, as Zipf found it of words: the n-th is used about 1/n as often as the first.
            1 => {
                let scale = (rng.below(1 << 20) as f64) / f64::from(1 << 20);
                ((pages as f64 + 1.0).powf(scale) - 1.0) as u64
            }
            // Round and round through about as many pages as there are frames.
            2 => (at + i) % loop_pages,
            // A working set that moves on.
            3 => {
                if rng.chance(100) {
                    at = rng.below(pages);
                }
                (at + rng.below(frames.div_ceil(2))) % pages
            }
            // A few pages that are used again and again while others are passed once.
            4 if rng.chance(2) => rng.below(frames.div_ceil(3)),
            4 => {
                at += 1;
                at % pages
            }
            // Steps to a neighbour, up or down.
            _ => {
                at = (at + pages + rng.below(3) - 1) % pages;
                at
            }
        }
    };
    let pages: Vec<u64> = (0..len).map(&mut reference).collect();
    pages.into_iter().map(|page| Reference { page, is_store: rng.chance(stores) }).collect()
}
