//! The fleet's processes: started, killed, stopped, replaced; and started again when they are gone, as a service manager would.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::error::CampaignError;
use crate::plan::Plan;
use crate::proxy::Proxy;
use crate::server::Server;

/// A service manager waits a moment before it starts what has died.
const START_AGAIN: Duration = Duration::from_millis(300);

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Worker,
    Scheduler,
    Api,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
            Self::Api => "api",
        }
    }
}

/// A place in the crew, and whoever fills it now.
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) proxy: Proxy,
    /// Where an API listens.
    pub(crate) port: u16,
    /// Somebody does it harm at the moment.
    pub(crate) harmed: bool,
    child: Option<Child>,
    binary: usize,
    start_at: Instant,
}

/// Everybody.
pub(crate) struct Crew {
    pub(crate) members: Vec<Member>,
    binaries: [PathBuf; 2],
    folder: PathBuf,
    urls: Vec<String>,
}

impl Crew {
    /// As many of each role as planned, none started yet; each behind a proxy of its own.
    pub(crate) async fn gather(plan: &Plan, server: &Server) -> Result<Self, CampaignError> {
        let second = match &plan.second_binary {
            Some(second) => second.clone(),
            None => copy(&plan.binary, &plan.folder)?,
        };
        let mut crew = Self {
            members: Vec::new(),
            binaries: [plan.binary.clone(), second],
            folder: plan.folder.clone(),
            urls: Vec::new(),
        };
        let roles = [
            (Role::Worker, plan.workers),
            (Role::Scheduler, plan.schedulers),
            (Role::Api, plan.apis),
        ];
        for (role, n) in roles {
            for n in 1..=n {
                crew.add(role, n, server).await?;
            }
        }
        Ok(crew)
    }

    async fn add(&mut self, role: Role, n: usize, server: &Server) -> Result<(), CampaignError> {
        let failed = || CampaignError::file("open a port for", &self.folder);
        let proxy = Proxy::to(server.port()).await.map_err(failed())?;
        // Free now, and again each time it is started: nobody else is given a port that was in use a moment ago.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
        let port = port.map_err(failed())?.port();
        self.urls.push(server.url_through(proxy.port()));
        self.members.push(Member {
            role,
            name: format!("{}-{n}", role.name()),
            proxy,
            port,
            harmed: false,
            child: None,
            binary: 0,
            start_at: Instant::now(),
        });
        Ok(())
    }

    /// Starts who is gone; says who was found dead.
    pub(crate) fn look_after(&mut self) -> Result<Vec<String>, CampaignError> {
        let mut died = Vec::new();
        for n in 0..self.members.len() {
            let member = &mut self.members[n];
            if let Some(child) = &mut member.child {
                let ended = child
                    .try_wait()
                    .map_err(CampaignError::file("wait for", &self.folder))?;
                if ended.is_some() {
                    member.child = None;
                    member.start_at = Instant::now() + START_AGAIN;
                    died.push(member.name.clone());
                }
            } else if member.start_at <= Instant::now() {
                self.start(n)?;
            }
        }
        Ok(died)
    }

    fn start(&mut self, n: usize) -> Result<(), CampaignError> {
        let log = self.log_of(n);
        let member = &mut self.members[n];
        let open = OpenOptions::new().create(true).append(true).open(&log);
        let out = open.map_err(CampaignError::file("open", &log))?;
        let err = out.try_clone().map_err(CampaignError::file("open", &log))?;
        let binary = &self.binaries[member.binary];
        let mut command = Command::new(binary);
        command
            .arg(member.role.name())
            .args(arguments(member))
            .arg("--diagnostics")
            .arg("--history")
            .arg(self.folder.join("histories"))
            .env("DATABASE_URL", &self.urls[n])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::from(out))
            .stderr(Stdio::from(err))
            .kill_on_drop(true)
            .process_group(0);
        let child = command
            .spawn()
            .map_err(CampaignError::file("run", binary))?;
        member.child = Some(child);
        Ok(())
    }

    pub(crate) fn log_of(&self, n: usize) -> PathBuf {
        self.folder
            .join("logs")
            .join(format!("{}.log", self.members[n].name))
    }

    /// Members of a role that live and are not being harmed.
    pub(crate) fn unharmed(&self, role: Role) -> Vec<usize> {
        let members = self.members.iter().enumerate();
        let whole = members.filter(|(_, m)| m.role == role && !m.harmed && m.child.is_some());
        whole.map(|(n, _)| n).collect()
    }

    /// The next one that is started in this place is the other binary.
    pub(crate) fn deploy(&mut self, n: usize) {
        self.members[n].binary = 1 - self.members[n].binary;
    }

    /// Tells everybody to stop, and waits for them; whoever takes too long is killed and named.
    pub(crate) async fn dismiss(&mut self, patience: Duration) -> Vec<String> {
        let mut late = Vec::new();
        for member in &self.members {
            member.signal(Signal::TERM);
        }
        let deadline = Instant::now() + patience;
        for member in &mut self.members {
            if let Some(mut child) = member.child.take()
                && tokio::time::timeout_at(deadline, child.wait())
                    .await
                    .is_err()
            {
                late.push(member.name.clone());
                let _ = child.kill().await;
            }
        }
        late
    }
}

impl Member {
    /// The process that fills the place now.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self
            .pid()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It is our own child and not waited for yet, so the id is nobody else's.
            let _ = kill_process(pid, signal);
        }
    }
}

fn arguments(member: &Member) -> Vec<String> {
    let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match member.role {
        Role::Worker => of(&[
            "--concurrency",
            "16",
            "--shutdown-grace",
            "3s",
            "--queue",
            "default=16",
            "--queue",
            "capped=8",
            "--queue",
            "shared=8",
            "--queue",
            "rated=8",
        ]),
        Role::Scheduler => Vec::new(),
        Role::Api => vec!["--bind".to_owned(), format!("127.0.0.1:{}", member.port)],
    }
}

fn copy(binary: &Path, folder: &Path) -> Result<PathBuf, CampaignError> {
    let second = folder.join("fleet-second");
    std::fs::copy(binary, &second).map_err(CampaignError::file("copy the binary to", &second))?;
    Ok(second)
}
