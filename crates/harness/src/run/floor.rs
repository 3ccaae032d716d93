//! The floor of a run: one `s3-reader`, one token exchange, one read, against the same servers, already up.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use scenario::{CONTROL, Cloud, Plan};
use tokio::process::Command;

use super::answering::password;
use super::begun::Begun;
use super::federate::{Federation, LiveCell};
use super::kube_objects::Creator;
use super::places::{Places, Shared, programs};
use super::{begin_journal, make_artifacts, settings, token};
use crate::cli::E2e;
use crate::environment::Environment;
use crate::exit::{Exit, Stop};

/// Everything up, and one access provisioned.
pub struct Floor {
    places: Places,
    shared: Shared,
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Floor {
    /// Brings up the places of a scenario and provisions its control.
    ///
    /// # Errors
    /// When any of that fails.
    pub async fn up(options: E2e, environment: Environment, mut plan: Plan) -> Result<Self, Stop> {
        plan.cells.retain(|cell| cell.id == CONTROL);
        let settings = settings(options, environment, None)?;
        make_artifacts(&settings.artifacts)?;
        let Some(aws) = &plan.scenario.aws else {
            return Err(Stop::new(Exit::Usage, "the floor is that of a scenario that reads on AWS"));
        };
        let shared = Shared::new();
        let programs = programs(&settings, &plan.scenario)?;
        let journal = begin_journal(&settings)?;
        let plans = std::slice::from_ref(&plan);
        let places = Places::up(&settings, &plan.scenario, plans, &shared, programs, &journal).await?;
        let federation = Federation::plan(&settings, &plan, &places, &journal)?;
        let client = places.cluster.client().clone();
        let creator = Creator { client, journal, begun: Begun::default(), settings: settings.clone() };
        federation.apply(&places, &creator, None).await?;
        let control = federation.cells.first().and_then(|cell| Some((cell, cell.names.aws.as_ref()?)));
        let (cell, names) = control.ok_or_else(|| Stop::new(Exit::Internal, "no control in the plan"))?;
        let account = cell.account(&plan.scenario, places.cluster.issuer());
        creator.furnish(cell, &[], account).await?;
        let variables = variables(&places, &aws.region, &names.role_arn(), cell).await?;
        let arguments = ["--bucket", &names.bucket, "--key", &aws.object_key].map(str::to_owned).into();
        Ok(Self { places, shared, program: settings.environment.programs.join("s3-reader"), arguments, variables })
    }

    /// Runs the workload once, from spawn to exit.
    ///
    /// # Errors
    /// When it does not read.
    pub async fn once(&self) -> Result<Duration, Stop> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(self.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let started = Instant::now();
        let output = command.output().await.map_err(|error| Stop::caused(Exit::Preflight, error))?;
        let duration = started.elapsed();
        if output.status.success() {
            return Ok(duration);
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Stop::new(Exit::CheckFailed, format!("the floor's workload did not read: {}", trust::redact(&text))))
    }

    /// Runs the workload `count` times at once: what the pods of a run take by themselves.
    ///
    /// # Errors
    /// When one of them does not read.
    pub async fn at_once(&self, count: usize) -> Result<Duration, Stop> {
        let started = Instant::now();
        futures::future::try_join_all((0..count).map(|_| self.once())).await?;
        Ok(started.elapsed())
    }

    /// Ends everything.
    pub async fn down(self) {
        self.places.down().await;
        if let Some(answering) = self.shared.get() {
            answering.down().await;
        }
    }
}

/// What the node would give the pod.
async fn variables(
    places: &Places,
    region: &str,
    role_arn: &str,
    cell: &LiveCell,
) -> Result<Vec<(String, String)>, Stop> {
    let folder = places.folder();
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text)
            .map(|()| file.display().to_string())
            .map_err(|error| Stop::caused(Exit::Preflight, error))
    };
    let token = token::genuine(places.cluster.client(), cell, Cloud::Aws).await?;
    let proxy = places.wire().admit("floor", password());
    Ok([
        ("HTTPS_PROXY", proxy.url().expose().to_owned()),
        ("SSL_CERT_FILE", write("ca.crt", places.wire().root_pem())?),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_ROLE_ARN", role_arn.to_owned()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", write("token", token.expose())?),
        ("HOME", folder.display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

impl std::fmt::Debug for Floor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Floor").field("program", &self.program).finish_non_exhaustive()
    }
}
