//! Keys that were checked a moment ago, so that a busy caller does not cost a look-up a request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet_queue::Db;
use tokio::time::Instant;

use super::{Identity, keys};
use crate::problem::Problem;

/// More keys than this in use at once are looked up each time.
const KEYS_MAX: usize = 10_000;

type Known = HashMap<[u8; 32], (Arc<Identity>, Instant)>;

/// Good keys by their hash; bad ones are never kept, so that nobody can fill it with guesses.
#[derive(Debug)]
pub(crate) struct KeyCache {
    ttl: Duration,
    known: Mutex<Known>,
}

impl KeyCache {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            known: Mutex::default(),
        }
    }

    /// The identity behind a key; `None` where it is unknown, expired or revoked.
    pub(crate) async fn verify(
        &self,
        db: &Db,
        key: &str,
    ) -> Result<Option<Arc<Identity>>, Problem> {
        let hash = keys::hash(key);
        if let Some(identity) = self.recall(&hash) {
            return Ok(Some(identity));
        }
        let mut conn = db.acquire("api.check_key").await?;
        let Some(identity) = keys::find(&mut conn, key).await? else {
            return Ok(None);
        };
        let identity = Arc::new(identity);
        self.keep(hash, Arc::clone(&identity));
        Ok(Some(identity))
    }

    fn recall(&self, hash: &[u8; 32]) -> Option<Arc<Identity>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (identity, until) = known.get(hash)?;
        (*until > Instant::now()).then(|| Arc::clone(identity))
    }

    fn keep(&self, hash: [u8; 32], identity: Arc<Identity>) {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS_MAX {
            known.retain(|_, (_, until)| *until > now);
        }
        if known.len() < KEYS_MAX {
            known.insert(hash, (identity, now + self.ttl));
        }
    }
}
