//! Lines of an input, one at a time, none longer than a bound: an endless line costs no memory.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Longest line that is read; a longer one is skipped and reported.
pub(crate) const MAX_LINE: usize = 64 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line, its end cut off.
#[derive(Debug, PartialEq)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// `None` where it was longer than [`MAX_LINE`].
    pub(crate) bytes: Option<&'a [u8]>,
}

/// Reads an input line by line.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    number: u64,
    bytes_read: u64,
    buffer: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            bytes_read: 0,
            buffer: Vec::new(),
        }
    }

    /// Bytes taken from the input so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next line, or `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let before = self.bytes_read;
        let fits = self.read_to_end_of_line().await?;
        if self.bytes_read == before {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line {
            number: self.number,
            bytes: fits.then(|| self.content()),
        }))
    }

    /// Fills the buffer up to the next line feed; false where the line does not fit.
    async fn read_to_end_of_line(&mut self) -> io::Result<bool> {
        let mut fits = true;
        loop {
            let chunk = self.input.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(fits);
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let content = &chunk[..end.unwrap_or(chunk.len())];
            fits = fits && self.buffer.len() + content.len() <= MAX_LINE;
            if fits {
                self.buffer.extend_from_slice(content);
            }
            let taken = content.len() + usize::from(end.is_some());
            self.input.consume(taken);
            self.bytes_read += taken as u64;
            if end.is_some() {
                return Ok(fits);
            }
        }
    }

    fn content(&self) -> &[u8] {
        let line = self.buffer.strip_suffix(b"\r").unwrap_or(&self.buffer);
        match self.number {
            1 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
            _ => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(input: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(input);
        let mut read = Vec::new();
        while let Some(line) = lines.next().await.expect("a slice cannot fail") {
            read.push(line.bytes.map(<[u8]>::to_vec));
        }
        assert_eq!(lines.bytes_read(), input.len() as u64);
        read
    }

    #[tokio::test]
    async fn cuts_every_kind_of_line_end_and_the_byte_order_mark() {
        let read = read(b"\xef\xbb\xbfa\r\n\nb\nlast").await;
        let expected = [&b"a"[..], b"", b"b", b"last"];
        assert_eq!(read, expected.map(|line| Some(line.to_vec())));
    }

    #[tokio::test]
    async fn skips_a_line_that_is_too_long_and_goes_on() {
        let mut input = vec![b'x'; MAX_LINE + 1];
        input.extend_from_slice(b"\nshort");
        assert_eq!(read(&input).await, [None, Some(b"short".to_vec())]);
    }

    #[tokio::test]
    async fn keeps_the_longest_line_allowed() {
        let input = vec![b'x'; MAX_LINE];
        assert_eq!(read(&input).await, [Some(input.clone())]);
    }
}
