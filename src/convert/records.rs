//! Whether what a plan reads is what was once saved.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use super::progress::Progress;
use crate::checkpoint::{self, Warning};
use crate::crew::{Hands, beside};
use crate::plan::Plan;

/// Bytes of variables from which on checksums are compared beside the writing.
const WORTH_A_THREAD_BYTES: u64 = 64 << 20;

/// Compares the checksums of all records that the plan reads, and warns of those that are wrong, as far as the
/// checkpoint's form has checksums. The caller's crew does it, where there is one. Ends early when it is stopped.
pub fn check_records(plan: &Plan, threads: Option<NonZeroUsize>, progress: &dyn Progress) -> Vec<Warning> {
    let hands = progress.crew().map_or_else(|| Hands::own(threads), Hands::Crew);
    let warnings = damage(plan, hands, &|| progress.is_cancelled());
    warnings.iter().for_each(|warning| progress.warned(warning));
    warnings
}

/// The warnings alone, which nobody is told of.
fn damage(plan: &Plan, hands: Hands<'_>, stops: &(dyn Fn() -> bool + Sync)) -> Vec<Warning> {
    let parts = plan.bindings.iter().flat_map(|binding| binding.parts());
    let tensors: Vec<_> = parts.map(|part| (&part.key, &part.source)).collect();
    checkpoint::check_records(&tensors, hands, stops)
}

/// Compares the checksums of what a plan reads, and writes: one after the other, or where there are threads and much to
/// read, the checksums beside the writing, by a thread more. Who writes waits for much of the time, for its turn at the
/// file or for the disk.
pub(super) fn check_and_write<T, E>(
    plan: &Plan,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
    write: impl FnOnce() -> Result<T, E>,
) -> (Vec<Warning>, Result<T, E>) {
    let is_alone = progress.crew().is_some() || threads == Some(NonZeroUsize::MIN);
    if is_alone || plan.byte_len() < WORTH_A_THREAD_BYTES {
        return (check_records(plan, threads, progress), write());
    }
    check_beside(plan, threads, progress, write)
}

/// The warnings are told when both are done.
fn check_beside<T, E>(
    plan: &Plan,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
    write: impl FnOnce() -> Result<T, E>,
) -> (Vec<Warning>, Result<T, E>) {
    let has_failed = AtomicBool::new(false);
    let stops = || progress.is_cancelled() || has_failed.load(Ordering::Relaxed);
    let (warnings, written) = beside(
        true,
        || damage(plan, Hands::Own(1), &stops),
        || {
            let written = write();
            has_failed.store(written.is_err(), Ordering::Relaxed);
            written
        },
    );
    // What a thread that the system refuses would have done.
    let warnings = warnings.unwrap_or_else(|| damage(plan, Hands::own(threads), &stops));
    warnings.iter().for_each(|warning| progress.warned(warning));
    (warnings, written)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use super::*;
    use crate::convert::Conversion;

    #[derive(Default)]
    struct Ear(Mutex<Vec<String>>);

    impl Progress for Ear {
        fn warned(&self, warning: &Warning) {
            self.0.lock().unwrap().push(warning.to_string());
        }
    }

    /// The plan of a checkpoint one byte of whose largest tensor was changed.
    fn damaged(folder: &Path) -> Plan {
        let mut bytes = std::fs::read("testdata/mnist/weights.pt").unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        let checkpoint = folder.join("weights.pt");
        std::fs::write(&checkpoint, bytes).unwrap();
        let mut conversion = Conversion::new(checkpoint, "same-names", folder.join("out.weights.h5"));
        conversion.source.architecture = Some("testdata/mnist/arch.json".into());
        conversion.plan(&()).unwrap().plan
    }

    #[test]
    fn before_and_beside() {
        let folder = tempfile::tempdir().unwrap();
        let plan = damaged(folder.path());
        let ears = [Ear::default(), Ear::default()];
        let (before, written) = check_and_write(&plan, None, &ears[0], || Ok::<_, ()>(7));
        assert_eq!((before.len(), written), (1, Ok(7)));
        let (beside, written) = check_beside(&plan, None, &ears[1], || Ok::<_, ()>(7));
        assert_eq!((&beside, written), (&before, Ok(7)));
        let heard = ears.map(|ear| ear.0.into_inner().unwrap());
        assert_eq!(heard, [vec![before[0].to_string()], vec![before[0].to_string()]]);
        let (_, written) = check_beside(&plan, None, &(), || Err::<(), _>("no room"));
        assert_eq!(written, Err("no room"));
    }
}
