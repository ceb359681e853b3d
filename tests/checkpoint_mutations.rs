//! Damaged and malicious checkpoints, by the thousand: every file of the corpus, cut and changed at random.
//! Nothing may panic, hang, or take more memory than the limits allow.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::UnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[path = "../fuzz/src/lib.rs"]
#[expect(dead_code, unreachable_pub, reason = "the fuzz targets use it as a library")]
mod fuzz;

/// Runs of each seed. One takes some 0.1 ms, unoptimised.
const RUNS: usize = 100_000;

/// Runs of each seed over folders, whose files must be written each time.
const FOLDER_RUNS: usize = 5_000;

/// The seed that is the same every time.
const FIXED_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Memory that a run may take, whatever the file claims.
const MAX_MEMORY: usize = 256 << 20;

/// How long a run may take before it is taken for a hang. Not a measure of speed: the machine may be busy.
const HANG: Duration = Duration::from_secs(60);

/// Counts what is allocated, and the most there was.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that counts")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn corpus() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/corpus")).to_owned()
}

/// Every file of the corpus, those in folders too, in the order of the names.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut pending = vec![corpus().join("files"), corpus().join("hostile")];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(corpus()).unwrap().display().to_string();
                files.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// Small xorshift: enough for places and bytes, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// Bytes that parsers care about: lengths and signs at their limits, opcodes, digits, separators.
const TELLING: &[u8] =
    b"\x00\x01\x7f\x80\xff\xfe(.0123459{}[]\"/:PK\x03\x04QRcbehjqrstuXU\x81\x8a\x8b\x93\x94";

/// Cuts a file, or changes bytes of it, or moves a piece of it.
fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    if random.below(4) == 0 {
        file.truncate(random.below(file.len() + 1));
    }
    for _ in 0..random.below(5) {
        let place = random.below(file.len());
        let is_telling = random.below(2) == 0;
        let byte = if is_telling { TELLING[random.below(TELLING.len())] } else { random.byte() };
        match (random.below(8), file.get_mut(place)) {
            (_, None) => file.push(byte),
            (0, Some(_)) => file.insert(place, byte),
            (1, Some(_)) => drop(file.remove(place)),
            (2, Some(old)) => *old ^= 1 << random.below(8),
            (3, Some(_)) => {
                let end = (place + random.below(64)).min(file.len());
                let piece = file[place..end].to_vec();
                let at = random.below(file.len());
                file.splice(at..at, piece);
            }
            (4, Some(_)) => {
                for step in 0..4.min(file.len() - place) {
                    file[place + step] = byte;
                }
            }
            (_, Some(old)) => *old = byte,
        }
    }
}

/// What a thread is doing, for the watch.
type Doing = Arc<Mutex<Option<(String, Instant)>>>;

/// Aborts the process, saying what it was about, when a run takes too long.
fn watch(doing: Doing) {
    std::thread::spawn(move || {
        loop {
            std::thread::park_timeout(Duration::from_secs(1));
            if let Some((what, since)) = doing.lock().unwrap().as_ref()
                && since.elapsed() > HANG
            {
                eprintln!("it hangs: {what}");
                std::process::abort();
            }
        }
    });
}

/// Memory is counted for the whole process, so one test measures at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Runs each case under the watch: what it is, and what it does.
fn survive<C: FnOnce() + UnwindSafe>(cases: impl Iterator<Item = (String, C)>) {
    let _turn = TURN.lock().unwrap();
    let doing = Doing::default();
    watch(Arc::clone(&doing));
    for (what, case) in cases {
        *doing.lock().unwrap() = Some((what.clone(), Instant::now()));
        let before = ALLOCATED.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        assert!(std::panic::catch_unwind(case).is_ok(), "it panics: {what}");
        let taken = MOST.load(Ordering::Relaxed).saturating_sub(before);
        assert!(taken <= MAX_MEMORY, "it takes {taken} bytes: {what}");
    }
    *doing.lock().unwrap() = None;
}

/// Each run has random numbers of its own, so that one can be run again alone.
fn random(seed: u64, run: usize) -> Random {
    Random(seed ^ (run as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d))
}

fn mutations(seed: u64) {
    let files = files();
    assert!(files.len() > 100, "{}", files.len());
    survive((0..RUNS).map(|run| {
        let mut random = random(seed, run);
        let (name, whole) = &files[random.below(files.len())];
        let mut file = whole.clone();
        mutate(&mut file, &mut random);
        (format!("{name}, seed {seed:#x}, run {run}"), || fuzz::open(file))
    }));
}

/// Folders with one of their files changed.
fn mutated_folders(seed: u64) {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(corpus().join("files")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    let copies: Vec<(tempfile::TempDir, Files)> = folders.iter().map(|folder| copy(folder)).collect();
    survive((0..FOLDER_RUNS).map(|run| {
        let mut random = random(seed, run);
        let (folder, files) = &copies[random.below(copies.len())];
        let (path, whole) = &files[random.below(files.len())];
        let mut file = whole.clone();
        mutate(&mut file, &mut random);
        let what = format!("{}, seed {seed:#x}, run {run}", path.display());
        (what, move || {
            std::fs::write(path, &file).unwrap();
            fuzz::open_path(folder.path());
            std::fs::write(path, whole).unwrap();
        })
    }));
}

/// Paths and what they hold.
type Files = Vec<(PathBuf, Vec<u8>)>;

/// A copy of a folder that can be written, and its files.
fn copy(folder: &Path) -> (tempfile::TempDir, Files) {
    let to = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = to.path().join(entry.file_name());
        let bytes = std::fs::read(entry.path()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        files.push((path, bytes));
    }
    files.sort();
    (to, files)
}

/// Where a file is cut: everywhere in its first and last kilobytes, where the structure is, and here and there
/// between.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    const DENSE: usize = 2048;
    const STEP: usize = 61;
    (0..length).filter(move |end| *end < DENSE || length - end < DENSE || end % STEP == 0)
}

#[test]
fn cut_anywhere() {
    let files = files();
    survive(files.iter().flat_map(|(name, whole)| {
        cuts(whole.len()).map(move |end| {
            let cut = whole[..end].to_vec();
            (format!("{name}, cut to {end} bytes"), || fuzz::open(cut))
        })
    }));
}

#[test]
fn folders_with_a_fresh_seed() {
    mutated_folders(fresh_seed());
}

#[test]
fn with_the_same_seed() {
    mutations(FIXED_SEED);
    mutated_folders(FIXED_SEED);
}

#[test]
fn with_a_fresh_seed() {
    mutations(fresh_seed());
}

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = now.as_secs() ^ u64::from(now.subsec_nanos()) << 32;
    println!("seed {seed:#x}");
    seed
}
