//! What the machine can do at all, for the rows of `cargo xtask bench`: the kernels beside `memcpy`, and reading
//! and writing alone.
//!
//! ```text
//! cargo bench --bench limits -- kernels SOURCE          each kernel on tiles of that file
//! cargo bench --bench limits -- bytes SOURCE OUTPUT     seconds to read, to rearrange, and to write as many bytes
//! ```
//!
//! Prints JSON. The source is mapped, as a checkpoint is, and should be far larger than the caches.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark that cannot run stops")]

mod bytes;
mod kernels;
mod shapes;
mod workers;

use std::path::Path;

fn main() {
    // Cargo adds an option of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let found = match arguments.as_slice() {
        ["kernels", source] => kernels::measure(Path::new(source)),
        ["bytes", source, output] => bytes::measure(Path::new(source), Path::new(output)),
        // Of `cargo bench` as a whole: there is nothing to measure without files.
        _ => return,
    };
    println!("{found}");
}
