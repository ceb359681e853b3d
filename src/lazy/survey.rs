//! The values of many tensors, read once: statistics and checksums.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::tiles::for_each_tile;
use super::{LazyTensor, LoadError, Statistics};
use crate::tensor::kernel::{Moments, add_moments};

/// What to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SurveyOptions {
    /// [`Survey::statistics`].
    pub statistics: bool,
    /// [`Survey::sha256`].
    pub hash: bool,
    /// Worker threads; `None` for as many as there are cores. The outcome does not depend on it.
    pub threads: Option<NonZeroUsize>,
}

/// What was found out of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Survey {
    /// Its statistics, if asked for.
    pub statistics: Option<Statistics>,
    /// SHA-256 of the bytes that [`LazyTensor::contiguous`] gives, if asked for.
    pub sha256: Option<[u8; 32]>,
}

/// Reads all values of the tensors, each tensor by one of several threads, and tells `progress` how many bytes
/// ([`LazyTensor::byte_len`]) it has done since it told the last time. The outcomes are in the order of the
/// tensors. Each thread takes memory for a tile, and for one storage where that is computed.
#[must_use]
pub fn survey(
    tensors: &[&LazyTensor],
    options: &SurveyOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Vec<Result<Survey, LoadError>> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    // The largest first: the threads then end at about the same time.
    order.sort_by_key(|&place| std::cmp::Reverse(tensors[place].byte_len()));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(tensors.len()));
    let work = || {
        while let Some(&place) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = survey_tensor(tensors[place], options, progress);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((place, outcome));
        }
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.map_or_else(cores, usize::from).clamp(1, tensors.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // A thread that the system refuses is done without.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|&(place, _)| place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn survey_tensor(
    tensor: &LazyTensor,
    options: &SurveyOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Survey, LoadError> {
    let bytes = tensor.storage.load()?;
    let mut moments = options.statistics.then_some(Moments::NONE);
    let mut hash = options.hash.then(Sha256::new);
    for_each_tile(tensor, bytes.as_slice(), &mut |elements| {
        if let Some(moments) = &mut moments {
            add_moments(elements, tensor.dtype, moments);
        }
        if let Some(hash) = &mut hash {
            hash.update(elements);
        }
        progress(elements.len() as u64);
    })?;
    Ok(Survey { statistics: moments.map(Statistics::from), sha256: hash.map(|hash| hash.finalize().into()) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::lazy::{Bytes, Inflate, NonFinite, Recipe, Storage};
    use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

    fn tensor(dtype: Dtype, order: ByteOrder, view: Strided, storage: impl Into<Storage>) -> LazyTensor {
        LazyTensor { dtype, view, byte_order: order, storage: storage.into() }
    }

    fn shape<const N: usize>(sizes: [usize; N]) -> Shape {
        Shape::new(sizes).unwrap()
    }

    /// What the bytes of `contiguous` hash to, for any number of threads, and all bytes are told of.
    fn check(tensors: &[&LazyTensor]) -> Vec<Statistics> {
        let mut outcomes = Vec::new();
        for threads in [1, 2, 5] {
            let options = SurveyOptions { statistics: true, hash: true, threads: NonZeroUsize::new(threads) };
            let told = AtomicU64::new(0);
            let surveys = survey(tensors, &options, &|bytes| {
                told.fetch_add(bytes, Ordering::Relaxed);
            });
            let bytes: usize = tensors.iter().map(|tensor| tensor.byte_len()).sum();
            assert_eq!(told.into_inner(), bytes as u64);
            assert_eq!(surveys.len(), tensors.len());
            for (survey, tensor) in surveys.iter().zip(tensors) {
                let expected: [u8; 32] = Sha256::digest(tensor.contiguous().unwrap()).into();
                assert_eq!(survey.as_ref().unwrap().sha256, Some(expected));
            }
            outcomes.push(surveys);
        }
        outcomes.windows(2).for_each(|pair| assert_eq!(pair[0], pair[1]));
        outcomes.remove(0).into_iter().map(|survey| survey.unwrap().statistics.unwrap()).collect()
    }

    #[test]
    fn plain_and_strided() {
        let (rows, columns) = (307, 511);
        let floats: Vec<u8> = (0..rows * columns).flat_map(|at| (at as f32).to_le_bytes()).collect();
        let plain = tensor(
            Dtype::F32,
            ByteOrder::Little,
            Strided::contiguous(shape([rows, columns])),
            Bytes::held(floats.clone()),
        );
        let turned = Strided::new(shape([columns, rows]), [1, columns], 0, rows * columns).unwrap();
        let turned = tensor(Dtype::F32, ByteOrder::Little, turned, Bytes::held(floats.clone()));
        let mut swapped = floats.clone();
        swapped.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        let big = tensor(Dtype::F32, ByteOrder::Big, plain.view.clone(), Bytes::held(swapped));
        let one = Strided::new(shape([]), [], 9, rows * columns).unwrap();
        let one = tensor(Dtype::F32, ByteOrder::Little, one, Bytes::held(floats));
        let none =
            tensor(Dtype::F64, ByteOrder::Big, Strided::contiguous(shape([3, 0])), Bytes::held(Vec::new()));
        let flags = tensor(
            Dtype::Bool,
            ByteOrder::Little,
            Strided::contiguous(shape([3])),
            Bytes::held(vec![0, 2, 255]),
        );
        let found = check(&[&one, &plain, &none, &turned, &flags, &big]);
        let count = (rows * columns) as u64;
        let last = (count - 1) as f64;
        for at in [1, 3, 5] {
            let Statistics { mean, std, .. } = found[at];
            let (mean, std) = (mean.unwrap(), std.unwrap());
            assert!((mean - last / 2.0).abs() < 1e-6, "{mean}");
            // Of 0, 1, …, n - 1: n (n + 1) / 12.
            let variance = count as f64 * (count + 1) as f64 / 12.0;
            assert!((std - variance.sqrt()).abs() < 1e-6, "{std}");
            let expected = Statistics {
                count,
                min: Some(0.0),
                max: Some(last),
                mean: Some(mean),
                std: Some(std),
                non_finite: NonFinite::default(),
                zeros: 1,
            };
            assert_eq!(found[at], expected);
        }
        assert_eq!(found[1], found[5]);
        assert_eq!((found[0].mean, found[0].std), (Some(9.0), None));
        assert_eq!((found[2].count, found[2].min), (0, None));
        assert_eq!((found[4].zeros, found[4].max), (1, Some(1.0)));
    }

    #[test]
    fn only_what_is_asked_for() {
        let bytes = Bytes::held(vec![1, 2, 3]);
        let tensor = tensor(Dtype::U8, ByteOrder::Little, Strided::contiguous(shape([3])), bytes);
        let options = SurveyOptions::default();
        let expected = Survey { statistics: None, sha256: None };
        assert_eq!(survey(&[&tensor], &options, &|_| ()), [Ok(expected)]);
        assert_eq!(survey(&[], &options, &|_| ()), []);
    }

    #[test]
    fn damage_is_one_tensors() {
        let damaged =
            Inflate { record: "data/0".into(), compressed: Bytes::held(vec![7; 9]), byte_len: 3, crc: None };
        let damaged = Storage::computed(Recipe::Inflate(damaged));
        let view = || Strided::contiguous(shape([3]));
        let whole = tensor(Dtype::U8, ByteOrder::Little, view(), Bytes::held(vec![1, 2, 3]));
        let damaged = tensor(Dtype::U8, ByteOrder::Little, view(), damaged);
        let options = SurveyOptions { statistics: true, ..SurveyOptions::default() };
        let outcomes = survey(&[&damaged, &whole], &options, &|_| ());
        assert_eq!(outcomes[0], Err(LoadError::Inflate { record: "data/0".into(), announced: 3 }));
        assert_eq!(outcomes[1].as_ref().unwrap().statistics.unwrap().mean, Some(2.0));
    }
}
