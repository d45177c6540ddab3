//! Labelled texts: read from a file of any origin ([`read`]) or from what people said of tickets ([`reviewed`]), kept as a dataset
//! ([`store`]), given to whoever trains or evaluates.

mod read;
mod records;
mod reviewed;
mod store;

pub use read::{BadRow, FileError, Labelled, ROWS_MAX, TEXTS_BYTES_MAX, read};
pub use reviewed::{Reviewed, ReviewedError, reviewed};
pub use store::{
    DATASETS_MAX, Dataset, StoreError, check_name, delete, examples, find, keep, list, tenant_of,
};
