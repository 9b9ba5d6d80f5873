//! A web server for the app's files, on a port of its own. Serves one directory at a time and nothing else.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub(crate) struct Site {
    url: String,
    dir: Arc<Mutex<PathBuf>>,
}

impl Site {
    pub(crate) fn of(dir: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // A name, because a store belongs to an origin that browsers call secure.
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let dir = Arc::new(Mutex::new(dir));
        let served = Arc::clone(&dir);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let dir = served.lock().unwrap().clone();
                std::thread::spawn(move || answer(stream, &dir));
            }
        });
        Self { url, dir }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Serves another build from here on, as an update does.
    pub(crate) fn serve(&self, dir: PathBuf) {
        *self.dir.lock().unwrap() = dir;
    }
}

fn answer(stream: TcpStream, dir: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    let path = first.split(' ').nth(1)?.trim_start_matches('/').split('?').next()?;
    let name = if path.is_empty() { "index.html" } else { path };
    let known = std::fs::read_dir(dir).ok()?.flatten().any(|entry| entry.file_name().to_str() == Some(name));
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    let (status, body) = match known.then(|| std::fs::read(dir.join(name))) {
        Some(Ok(body)) => ("200 OK", body),
        _ => ("404 Not Found", Vec::new()),
    };
    let mut stream = stream;
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).ok()
}
