//! The knowledge base: articles that people write, and those that may answer a ticket ([`bm25`]).
//!
//! A tenant sees its own and the platform's. The index is made once for each state of the articles and kept in memory.

mod bm25;
mod store;

pub(crate) use bm25::Found;
pub use store::{Article, ArticleError, NewArticle, articles, put_article};
pub(crate) use store::{Stamp, suggest};
