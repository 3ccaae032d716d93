//! Whether the parts of a scenario speak of the same clouds. A pod that no webhook touches, or one that asks for an
//! identity in a cloud that the scenario does not name, would only be found out at the end of a run.

use std::path::Path;

use super::{ClusterShape, Flavor, IssuerSite, Scenario};
use crate::access::{Cloud, Installer};
use crate::source::SourceError;

/// Annotation of a service account by which the AWS webhook is asked for a role.
const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
/// Annotation of a service account that names an Azure identity.
const CLIENT_ID: &str = "azure.workload.identity/client-id";
/// Label of a pod by which the Azure webhook is asked.
const USE: &str = "azure.workload.identity/use";

pub(super) fn check(scenario: &Scenario, file: &Path) -> Result<(), SourceError> {
    let wrong = |path: &str, message: String| Err(SourceError::member(file, path, message));
    let access = &scenario.access;
    let clouds = scenario.clouds();
    if clouds.is_empty() {
        return wrong("aws", "nothing is read: `aws`, `azure` or both must say what stands there".to_owned());
    }
    let annotations = &access.service_account.annotations;
    let parts = [
        (Cloud::Aws, access.aws.is_some(), access.webhooks.aws_pod_identity.is_some(), "awsPodIdentity", ROLE_ARN),
        (
            Cloud::Azure,
            access.azure.is_some(),
            access.webhooks.azure_workload_identity.is_some(),
            "azureWorkloadIdentity",
            CLIENT_ID,
        ),
    ];
    for (cloud, has_access, has_webhook, webhook, annotation) in parts {
        let (named, title) = (clouds.contains(&cloud), cloud.title());
        let told = if named {
            format!("the scenario names {title} (`{cloud}`)")
        } else {
            format!("the scenario does not name {title} (`{cloud}`)")
        };
        let (what, verb) = if named { ("is missing", "add it") } else { ("is here", "leave it out") };
        if has_access != named {
            return wrong(&format!("access.{cloud}"), format!("{told}, and this part {what}: {verb}"));
        }
        if has_webhook != named {
            return wrong(&format!("access.webhooks.{webhook}"), format!("{told}, and this webhook {what}: {verb}"));
        }
        if annotations.contains_key(annotation) != named {
            return wrong(
                &format!("access.serviceAccount.annotations.{annotation}"),
                format!("{told}, and this annotation {what}: {verb}"),
            );
        }
    }
    pod(scenario)?;
    let defaults = access.webhooks.aws_pod_identity.iter();
    for webhook in defaults {
        super::region(file, "access.webhooks.awsPodIdentity.defaultAwsRegion", &webhook.default_aws_region)?;
        super::region(file, "access.webhooks.awsPodIdentity.release", &webhook.release).map_err(|_| {
            SourceError::member(
                file,
                "access.webhooks.awsPodIdentity.release",
                format!("`{}` is no name of a Helm release: lower-case letters, digits and dashes", webhook.release),
            )
        })?;
    }
    let by_eks = access.webhooks.aws_pod_identity.as_ref().is_some_and(|aws| aws.installed_by == Installer::Eks);
    if by_eks && scenario.cluster.flavor() != Flavor::Eks {
        let flavor = scenario.cluster.flavor();
        let message = format!("only EKS installs it by itself, and the cluster is of flavor {flavor}: `chart` is left");
        return wrong("access.webhooks.awsPodIdentity.installedBy", message);
    }
    match scenario.cluster {
        ClusterShape::SelfManaged { issuer: IssuerSite::S3Bucket } if scenario.aws.is_none() => wrong(
            "cluster.issuer",
            "an S3 bucket lies in an AWS account, and the scenario does not name AWS".to_owned(),
        ),
        ClusterShape::SelfManaged { issuer: IssuerSite::BlobContainer } if scenario.azure.is_none() => wrong(
            "cluster.issuer",
            "a blob container lies in an Azure subscription, and the scenario does not name Azure".to_owned(),
        ),
        _ => Ok(()),
    }
}

/// The pod's label and containers.
fn pod(scenario: &Scenario) -> Result<(), SourceError> {
    let pod = &scenario.pod;
    let wrong = |path: &str, message: String| Err(SourceError::member(&pod.file, path, message));
    let label = format!("metadata.labels.{USE}");
    match (&scenario.azure, pod.label(USE)) {
        (Some(_), Some("true")) | (None, None) => {}
        (Some(_), found) => {
            let found = found.map_or_else(|| "is missing".to_owned(), |found| format!("is `{found}`"));
            return wrong(
                &label,
                format!(
                    "the scenario names Azure, and the label {found}: without `\"true\"` the webhook leaves the pod alone"
                ),
            );
        }
        (None, Some(_)) => {
            return wrong(&label, "the scenario does not name Azure (`azure`): leave the label out".to_owned());
        }
    }
    for cloud in scenario.clouds() {
        let Some((container, _)) = scenario.target(cloud) else { continue };
        if !pod.containers.iter().any(|known| known == container) {
            let known = pod.containers.join(", ");
            return wrong(
                "spec.containers",
                format!("`{cloud}.container` names `{container}`, and the pod has no such container (it has {known})"),
            );
        }
    }
    match (scenario.target(Cloud::Aws), scenario.target(Cloud::Azure)) {
        (Some((aws, _)), Some((azure, _))) if aws == azure => wrong(
            "spec.containers",
            format!("container `{aws}` cannot read in both clouds: name one each (`aws.container`, `azure.container`)"),
        ),
        _ => Ok(()),
    }
}
