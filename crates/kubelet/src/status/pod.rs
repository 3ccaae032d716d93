//! A pod's status from what its containers did: phase and conditions. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{HostIP, PodCondition, PodIP, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{ContainerRecord, RestartPolicy};
use crate::downward::HOST_IP;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// A pod as its status tells it.
#[derive(Debug)]
pub(crate) struct PodRecord {
    pub(crate) policy: RestartPolicy,
    pub(crate) init: Vec<ContainerRecord>,
    pub(crate) main: Vec<ContainerRecord>,
    pub(crate) start_time: Timestamp,
    /// No container is started any more: the pod is being deleted or its deadline has passed.
    pub(crate) stopping: bool,
    /// Reason and message of a pod that the node itself ended.
    pub(crate) ended: Option<(&'static str, &'static str)>,
    transitions: BTreeMap<&'static str, (bool, Timestamp)>,
}

impl PodRecord {
    pub(crate) fn new(
        policy: RestartPolicy,
        init: Vec<ContainerRecord>,
        main: Vec<ContainerRecord>,
        start_time: Timestamp,
    ) -> Self {
        Self { policy, init, main, start_time, stopping: false, ended: None, transitions: BTreeMap::new() }
    }

    /// Init containers are done and sidecars have started; a sidecar that fails later changes nothing of that.
    fn initialized(&self) -> bool {
        self.main.iter().any(ContainerRecord::has_started) || self.init.iter().all(is_settled)
    }

    fn sidecars(&self) -> impl Iterator<Item = &ContainerRecord> {
        self.init.iter().filter(|init| init.sidecar)
    }

    /// As the kubelet counts: sidecars keep a pod running, and have no say in how it ended.
    pub(crate) fn phase(&self) -> Phase {
        let running = self.init.iter().chain(&self.main).any(ContainerRecord::is_running);
        if self.stopping && !running {
            let succeeded = self.ended.is_none() && self.main.iter().all(|main| main.exit_code() == Some(0));
            return if succeeded { Phase::Succeeded } else { Phase::Failed };
        }
        if !self.initialized() {
            let failed = |init: &ContainerRecord| !init.sidecar && init.exit_code().is_some_and(|code| code != 0);
            // A pod is not called failed while something of it still runs.
            let over = self.policy == RestartPolicy::Never && self.init.iter().any(failed) && !running;
            return if over { Phase::Failed } else { Phase::Pending };
        }
        if self.main.iter().any(|main| !main.has_started()) {
            return Phase::Pending;
        }
        let over = |main: &ContainerRecord| main.exit_code().is_some_and(|code| !self.policy.restarts(code));
        if running || !self.main.iter().all(over) {
            return Phase::Running;
        }
        if self.main.iter().all(|main| main.exit_code() == Some(0)) { Phase::Succeeded } else { Phase::Failed }
    }

    /// The status to write. `now` dates the conditions that changed.
    pub(crate) fn status(&mut self, now: Timestamp) -> PodStatus {
        let phase = self.phase();
        let names = |containers: Vec<&ContainerRecord>| {
            containers.iter().map(|container| container.name.as_str()).collect::<Vec<_>>().join(" ")
        };
        let over = match phase {
            Phase::Succeeded => Some("PodCompleted"),
            Phase::Failed => Some("PodFailed"),
            Phase::Pending | Phase::Running => None,
        };
        let initialized = if self.initialized() {
            (true, (phase == Phase::Succeeded).then_some("PodCompleted"), None)
        } else {
            let names = names(self.init.iter().filter(|init| !is_settled(init)).collect());
            (false, Some("ContainersNotInitialized"), Some(format!("containers with incomplete status: [{names}]")))
        };
        let ready = if over.is_some() {
            (false, over, None)
        } else {
            let names = names(self.sidecars().chain(&self.main).filter(|container| !container.is_ready()).collect());
            match names.is_empty() {
                true => (true, None, None),
                false => {
                    (false, Some("ContainersNotReady"), Some(format!("containers with unready status: [{names}]")))
                }
            }
        };
        let conditions = [
            ("PodScheduled", (true, None, None)),
            ("Initialized", initialized),
            ("ContainersReady", ready.clone()),
            ("Ready", ready),
        ]
        .map(|(type_, (holds, reason, message))| {
            let (held, since) = self.transitions.entry(type_).or_insert((holds, now));
            if *held != holds {
                (*held, *since) = (holds, now);
            }
            PodCondition {
                type_: type_.to_owned(),
                status: if holds { "True" } else { "False" }.to_owned(),
                reason: reason.map(str::to_owned),
                message,
                last_transition_time: Some(Time(*since)),
                ..PodCondition::default()
            }
        });
        let init_ready = |init: &ContainerRecord| if init.sidecar { init.is_ready() } else { is_settled(init) };
        PodStatus {
            phase: Some(phase.as_str().to_owned()),
            reason: self.ended.map(|(reason, _)| reason.to_owned()),
            message: self.ended.map(|(_, message)| message.to_owned()),
            conditions: Some(conditions.into()),
            host_ip: Some(HOST_IP.to_owned()),
            host_ips: Some(vec![HostIP { ip: HOST_IP.to_owned() }]),
            pod_ip: Some(HOST_IP.to_owned()),
            pod_ips: Some(vec![PodIP { ip: HOST_IP.to_owned() }]),
            start_time: Some(Time(self.start_time)),
            init_container_statuses: (!self.init.is_empty())
                .then(|| self.init.iter().map(|init| init.status(init_ready(init))).collect()),
            container_statuses: Some(self.main.iter().map(|main| main.status(main.is_ready())).collect()),
            ..PodStatus::default()
        }
    }
}

/// Lets the next container start.
fn is_settled(init: &ContainerRecord) -> bool {
    if init.sidecar { init.is_started() } else { init.exit_code() == Some(0) }
}

#[cfg(test)]
mod tests {
    use super::super::{State, Termination};
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time must be valid")
    }

    fn mk_container(state: &str) -> ContainerRecord {
        let mut container = ContainerRecord::new("c", "image:1", "ContainerCreating");
        let end = |exit_code| Termination {
            exit_code,
            reason: if exit_code == 0 { "Completed" } else { "Error" },
            message: None,
            started_at: at(1),
            finished_at: at(2),
            container_id: Some("process://c".to_owned()),
        };
        container.state = match state {
            "waiting" => State::waiting("ContainerCreating"),
            "running" => {
                (container.started, container.ready) = (true, true);
                State::Running { since: at(1) }
            }
            "starting" => State::Running { since: at(1) },
            "backoff" => {
                container.last = Some(end(1));
                State::waiting("CrashLoopBackOff")
            }
            code => State::Terminated(end(code.parse().expect("exit code"))),
        };
        container
    }

    /// `+state` is a sidecar's.
    fn mk_pod(policy: RestartPolicy, init: &[&str], main: &[&str]) -> PodRecord {
        let containers = |states: &[&str]| {
            let one = |state: &&str| ContainerRecord {
                sidecar: state.starts_with('+'),
                ..mk_container(state.trim_start_matches('+'))
            };
            states.iter().map(one).collect()
        };
        PodRecord::new(policy, containers(init), containers(main), at(0))
    }

    #[test]
    fn phase_follows_containers_and_policy() {
        use RestartPolicy::{Always, Never, OnFailure};
        let check = |policy, init: &[&str], main: &[&str], expected| {
            assert_eq!(mk_pod(policy, init, main).phase(), expected, "{policy:?} {init:?} {main:?}");
        };
        check(Never, &[], &["waiting"], Phase::Pending);
        check(Never, &[], &["running"], Phase::Running);
        check(Never, &[], &["running", "waiting"], Phase::Pending);
        check(Never, &[], &["running", "1"], Phase::Running);
        check(Never, &[], &["0", "0"], Phase::Succeeded);
        check(Never, &[], &["0", "3"], Phase::Failed);
        check(OnFailure, &[], &["3"], Phase::Running);
        check(OnFailure, &[], &["0"], Phase::Succeeded);
        check(OnFailure, &[], &["backoff"], Phase::Running);
        check(Always, &[], &["0"], Phase::Running);
        check(Never, &["running"], &["waiting"], Phase::Pending);
        check(Never, &["1"], &["waiting"], Phase::Failed);
        check(OnFailure, &["1"], &["waiting"], Phase::Pending);
        check(Never, &["0", "waiting"], &["waiting"], Phase::Pending);
        check(Never, &["0"], &["running"], Phase::Running);
    }

    #[test]
    fn sidecars_keep_a_pod_running_and_do_not_decide_its_end() {
        use RestartPolicy::{Always, Never, OnFailure};
        let check = |policy, init: &[&str], main: &[&str], expected| {
            assert_eq!(mk_pod(policy, init, main).phase(), expected, "{policy:?} {init:?} {main:?}");
        };
        check(Never, &["+starting"], &["waiting"], Phase::Pending);
        check(Never, &["+running"], &["waiting"], Phase::Pending);
        check(Never, &["+running"], &["running"], Phase::Running);
        check(Never, &["+backoff"], &["running"], Phase::Running);
        check(Never, &["+running"], &["0"], Phase::Running);
        check(Never, &["+137"], &["0"], Phase::Succeeded);
        check(Never, &["+0"], &["1"], Phase::Failed);
        check(OnFailure, &["+running"], &["1"], Phase::Running);
        check(Always, &["+running"], &["backoff"], Phase::Running);
        check(Never, &["+running", "1"], &["waiting"], Phase::Pending);
        check(Never, &["+143", "1"], &["waiting"], Phase::Failed);
    }

    #[test]
    fn stopping_pod_ends_whatever_its_policy() {
        let check = |main: &[&str], expected| {
            let mut pod = mk_pod(RestartPolicy::Always, &[], main);
            pod.stopping = true;
            assert_eq!(pod.phase(), expected, "{main:?}");
        };
        check(&["running"], Phase::Running);
        check(&["0"], Phase::Succeeded);
        check(&["143"], Phase::Failed);
        check(&["waiting"], Phase::Failed);
    }

    #[test]
    fn conditions_keep_the_time_of_their_change() {
        let mut pod = mk_pod(RestartPolicy::Never, &[], &["waiting"]);
        pod.status(at(10));
        pod.main[0] = mk_container("running");
        pod.status(at(20));
        let status = pod.status(at(30));
        let times: Vec<_> = status
            .conditions
            .into_iter()
            .flatten()
            .map(|condition| {
                (condition.type_, condition.status, condition.last_transition_time.map(|time| time.0.as_second()))
            })
            .collect();
        let expected = [("PodScheduled", 10), ("Initialized", 10), ("ContainersReady", 20), ("Ready", 20)]
            .map(|(type_, second)| (type_.to_owned(), "True".to_owned(), Some(second)));
        assert_eq!(times, expected);
    }

    #[test]
    fn final_status_of_a_failed_pod() {
        let mut pod = mk_pod(RestartPolicy::Never, &["0"], &["3"]);
        insta::assert_json_snapshot!(pod.status(at(5)), @r#"
        {
          "conditions": [
            {
              "lastTransitionTime": "1970-01-01T00:00:05Z",
              "status": "True",
              "type": "PodScheduled"
            },
            {
              "lastTransitionTime": "1970-01-01T00:00:05Z",
              "status": "True",
              "type": "Initialized"
            },
            {
              "lastTransitionTime": "1970-01-01T00:00:05Z",
              "reason": "PodFailed",
              "status": "False",
              "type": "ContainersReady"
            },
            {
              "lastTransitionTime": "1970-01-01T00:00:05Z",
              "reason": "PodFailed",
              "status": "False",
              "type": "Ready"
            }
          ],
          "containerStatuses": [
            {
              "image": "image:1",
              "imageID": "",
              "name": "c",
              "ready": false,
              "restartCount": 0,
              "started": false,
              "state": {
                "terminated": {
                  "containerID": "process://c",
                  "exitCode": 3,
                  "finishedAt": "1970-01-01T00:00:02Z",
                  "reason": "Error",
                  "startedAt": "1970-01-01T00:00:01Z"
                }
              }
            }
          ],
          "hostIP": "127.0.0.1",
          "hostIPs": [
            {
              "ip": "127.0.0.1"
            }
          ],
          "initContainerStatuses": [
            {
              "image": "image:1",
              "imageID": "",
              "name": "c",
              "ready": true,
              "restartCount": 0,
              "started": false,
              "state": {
                "terminated": {
                  "containerID": "process://c",
                  "exitCode": 0,
                  "finishedAt": "1970-01-01T00:00:02Z",
                  "reason": "Completed",
                  "startedAt": "1970-01-01T00:00:01Z"
                }
              }
            }
          ],
          "phase": "Failed",
          "podIP": "127.0.0.1",
          "podIPs": [
            {
              "ip": "127.0.0.1"
            }
          ],
          "startTime": "1970-01-01T00:00:00Z"
        }
        "#);
    }
}
