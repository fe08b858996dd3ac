//! A Rust program with the whole standard library, linked statically: heap, threads' locals, formatting, a hash map with
//! random keys, environment, arguments, a file, and a panic that is caught.

use std::collections::{BTreeMap, HashMap};

fn main() {
    println!("Hello from Rust.");
    for (index, argument) in std::env::args().enumerate().skip(1) {
        println!("argument {index}: {argument}");
    }
    let counts: HashMap<char, usize> = "demand paging".chars().fold(HashMap::new(), |mut counts, letter| {
        *counts.entry(letter).or_default() += 1;
        counts
    });
    let sorted: BTreeMap<_, _> = counts.into_iter().collect();
    println!("{sorted:?}");
    println!("{:.6} {:e}", 2.0_f64.sqrt(), 1.0_f64 / 3.0);
    let path = std::env::temp_dir().join("hello-rust.txt");
    std::fs::write(&path, "kept in a file").expect("the temporary directory is writable");
    println!("{}", std::fs::read_to_string(&path).expect("the file was just written"));
    std::fs::remove_file(&path).expect("the file was just written");
    std::panic::set_hook(Box::new(|_| ()));
    let caught = std::panic::catch_unwind(|| {
        let empty: Vec<u8> = Vec::new();
        std::hint::black_box(&empty)[std::hint::black_box(3)]
    });
    println!("caught: {}", caught.is_err());
    std::process::exit(3);
}
