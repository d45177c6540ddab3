//! A small TCP proxy between a process and PostgreSQL, which can be cut, stalled or slowed.
//!
//! What is held back by a stall is delivered when it ends, however late: a settle that its worker has long given up may so reach
//! the server after another worker has the job.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It lets everything through.
    Open,
    /// It lets everything through, so much later.
    Slow(Duration),
    /// It takes and keeps everything.
    Stalled,
    /// It drops connections, and refuses new ones.
    Cut,
}

/// A proxy; gone when dropped, with its connections.
pub(crate) struct Proxy {
    port: u16,
    line: watch::Sender<Line>,
    _accepting: AbortOnDropHandle<()>,
}

/// Bytes passed on at once.
const CHUNK: usize = 16 << 10;

impl Proxy {
    /// Passes on to a port of this machine.
    pub(crate) async fn to(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let line = watch::Sender::new(Line::Open);
        let accepting = tokio::spawn(accept(listener, server, line.subscribe()));
        Ok(Self {
            port,
            line,
            _accepting: AbortOnDropHandle::new(accepting),
        })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Changes how the line is, for connections there are and for new ones.
    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn accept(listener: TcpListener, server: u16, line: watch::Receiver<Line>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        if *line.borrow() == Line::Cut {
            continue;
        }
        // It ends by itself: with either end, with a cut, or with the proxy's own end, which closes the channel.
        tokio::spawn(connect(client, server, line.clone()));
    }
}

async fn connect(client: TcpStream, server: u16, line: watch::Receiver<Line>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
        return;
    };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pass(from_client, to_server, line.clone()) => {}
        () = pass(from_server, to_client, line) => {}
    }
}

/// Passes bytes on until either end is gone or the line is cut.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read,
            cut = line.wait_for(|line| *line == Line::Cut) => return drop(cut),
        };
        let Ok(read @ 1..) = read else { return };
        if !let_through(&mut line).await || to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

/// Waits as the line has it; false where it is cut.
async fn let_through(line: &mut watch::Receiver<Line>) -> bool {
    let now = *line.borrow_and_update();
    match now {
        Line::Open => true,
        Line::Slow(delay) => {
            tokio::time::sleep(delay).await;
            true
        }
        Line::Cut => false,
        Line::Stalled => {
            let moved = line.wait_for(|line| *line != Line::Stalled).await;
            moved.is_ok_and(|line| *line != Line::Cut)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says everything again.
    async fn echo() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = peer.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        port
    }

    async fn talk(stream: &mut TcpStream, word: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(word).await?;
        let mut heard = vec![0; word.len()];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn an_open_line_passes_and_a_cut_one_ends_everything() {
        let proxy = Proxy::to(echo().await).await.expect("a proxy");
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .expect("connected");
        assert_eq!(
            talk(&mut stream, b"hello").await.expect("an echo"),
            b"hello"
        );
        proxy.set(Line::Cut);
        assert!(talk(&mut stream, b"hello").await.is_err());
        let mut again = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .expect("accepted, then dropped");
        assert!(talk(&mut again, b"hello").await.is_err());
    }

    #[tokio::test]
    async fn what_a_stall_holds_back_comes_when_it_ends() {
        let proxy = Proxy::to(echo().await).await.expect("a proxy");
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .expect("connected");
        proxy.set(Line::Stalled);
        stream.write_all(b"late").await.expect("it is taken");
        let mut heard = [0; 4];
        let early = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut heard));
        assert!(early.await.is_err(), "a stalled line says nothing");
        proxy.set(Line::Open);
        stream.read_exact(&mut heard).await.expect("it comes");
        assert_eq!(&heard, b"late");
    }
}
