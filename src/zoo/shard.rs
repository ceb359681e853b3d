//! A share of a zoo's jobs, for several processes or machines that do one zoo together.

use std::num::NonZeroU32;
use std::str::FromStr;

use super::job::Job;

/// One of so many shares of the jobs, counted from 1: `2/8`.
///
/// A job's share is told by the name of its output alone. So it does not depend on what other jobs there are, nor on
/// what is done already: processes that are started at different times, and again, never miss a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: NonZeroU32,
}

/// Why a text is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// Not two numbers.
    #[error("a share is K/N: 2/8 is the second of eight")]
    Form,
    /// Beyond the number of shares.
    #[error("{index}/{count} is no share: they are counted from 1 to {count}{}", from_zero(*.index))]
    Range {
        /// Which.
        index: u32,
        /// Of how many.
        count: u32,
    },
}

const fn from_zero(index: u32) -> &'static str {
    if index == 0 { "; add 1 to an index that begins with 0" } else { "" }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (index, count) = text.split_once('/').ok_or(ShardError::Form)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| ShardError::Form);
        let (index, count) = (number(index)?, number(count)?);
        match NonZeroU32::new(count) {
            Some(total) if (1..=count).contains(&index) => Ok(Self { index, count: total }),
            Some(_) | None => Err(ShardError::Range { index, count }),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// Whether a job is one of this share.
    #[must_use]
    pub fn has(&self, job: &Job) -> bool {
        self.has_name(&job.name)
    }

    fn has_name(&self, name: &str) -> bool {
        let hash = blake3::hash(name.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(first) % u64::from(self.count.get()) == u64::from(self.index - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_in_one_share() {
        for count in [1, 2, 7] {
            let shards: Vec<Shard> =
                (1..=count).map(|index| format!("{index}/{count}").parse().unwrap()).collect();
            let mut sizes = vec![0; shards.len()];
            for number in 0..700 {
                let name = format!("keras/model_{number}.weights.h5");
                let having: Vec<usize> = (0..shards.len()).filter(|&at| shards[at].has_name(&name)).collect();
                let [at] = having[..] else { panic!("{name} is in {having:?}") };
                sizes[at] += 1;
            }
            assert!(sizes.iter().all(|&size| size > 700 / count / 2), "{sizes:?}");
        }
    }

    /// A later version that divides otherwise would miss jobs beside processes of this one.
    #[test]
    fn shares_stay() {
        let shares: Vec<u32> = ["a.weights.h5", "keras/b.keras", "keras/run 7/best.h5", "ä.weights.json"]
            .iter()
            .map(|name| {
                (1..=100)
                    .find(|index| {
                        Shard { index: *index, count: NonZeroU32::new(100).unwrap() }.has_name(name)
                    })
                    .unwrap()
            })
            .collect();
        assert_eq!(shares, [78, 93, 93, 50]);
    }

    #[test]
    fn refuses() {
        let error = |text: &str| text.parse::<Shard>().unwrap_err();
        for text in ["", "1", "a/2", "1/2/3", "-1/2", "1/"] {
            assert_eq!(error(text), ShardError::Form, "{text}");
        }
        assert_eq!(error("0/4"), ShardError::Range { index: 0, count: 4 });
        assert_eq!(error("5/4"), ShardError::Range { index: 5, count: 4 });
        assert_eq!(error("1/0"), ShardError::Range { index: 1, count: 0 });
        assert_eq!("4/4".parse::<Shard>().unwrap().to_string(), "4/4");
    }
}
