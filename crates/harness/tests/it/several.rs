//! Several scenarios in one run, and one pod that reads in both clouds.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

#[tokio::test]
async fn all_scenarios_pass_at_the_same_time_and_one_table_tells_it() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["e2e", "all", "--run-id", "r1", "--show-progress", "none"]).run().await;
    ended.expect_exit(0);
    assert_eq!(ended.stderr, "");
    let table = ended.stdout.split_once("\n  scenario ").expect("there must be a table").1.to_owned();
    assert_snapshot!(table, @r#"
                      place                 verdict  pass fail skip    time
        ✓ aks-to-aws             embedded · simulated  passed      9    0    0 [time]
        ✓ aks-to-azure           embedded · simulated  passed      3    0    0 [time]
        ✓ both-clouds            embedded · simulated  passed     26    0    0 [time]
        ✓ eks-to-aws             embedded · simulated  passed      2    0    0 [time]
        ✓ eks-to-azure           embedded · simulated  passed     10    0    0 [time]
        ✓ self-managed-to-aws    embedded · simulated  passed      2    0    0 [time]
        ✓ self-managed-to-azure  embedded · simulated  passed      2    0    0 [time]

        PASSED  7 of 7 scenarios passed, 54 of 54 checks passed [time]
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e all --show-progress none
        "#);
    let report = ended.report();
    assert_eq!(report.scenarios.len(), 7);
    for scenario in &report.scenarios {
        ended.artifact(&format!("junit_{}.xml", scenario.scenario));
    }
    assert_eq!(ended.journal().open(), [""; 0]);
}

#[tokio::test]
async fn what_fails_in_one_scenario_leaves_the_others_as_they_are() {
    let sandbox = Sandbox::with_own_scenarios();
    sandbox.edit("scenarios/aks-to-azure/scenario.yaml", "secrets: [get]", "secrets: [list]");
    let words = ["e2e", "eks-to-aws", "aks-to-azure", "eks-to-aws", "--run-id", "r1"];
    let ended = sandbox.crossfed(&words).run().await;
    ended.expect_exit(100);
    let table = ended.stdout.split_once("\n  scenario ").expect("there must be a table").1.to_owned();
    assert_snapshot!(table, @r#"
             place                 verdict  pass fail skip    time
        ✗ aks-to-azure  embedded · simulated  failed      0    3    0 [time]
        ✓ eks-to-aws    embedded · simulated  passed      2    0    0 [time]

        FAILED  1 of 2 scenarios passed, 2 of 5 checks passed, 3 failed, exit code 100 [time]
          scenario   aks-to-azure: failed: expected 52 bytes read, saw AccessDenied 403 at link 10 permitted
          artifacts  _artifacts/r1
          rerun      cargo xtask e2e eks-to-aws aks-to-azure eks-to-aws
        "#);
}

#[tokio::test]
async fn a_fault_towards_one_cloud_leaves_the_other_access_of_the_pod_as_it_is() {
    let sandbox = Sandbox::new();
    let ended = sandbox.crossfed(&["e2e", "both-clouds", "--run-id", "r1"]).run().await;
    ended.expect_exit(0);
    assert_snapshot!(ended.checks(), @r#"
        annotation-missing/aws: passed: expected not injected, saw not injected
        annotation-missing/azure: passed: expected read 52, saw read 52
        azure-webhook-first/aws: passed: expected read 52, saw read 52
        azure-webhook-first/azure: passed: expected read 52, saw read 52
        azure-webhook-v1-5/aws: passed: expected read 52, saw read 52
        azure-webhook-v1-5/azure: passed: expected read 52, saw read 52
        control/aws: passed: expected read 52, saw read 52
        control/azure: passed: expected read 52, saw read 52
        credential-for-another-audience/aws: passed: expected read 52, saw read 52
        credential-for-another-audience/azure: passed: expected audience-accepted AADSTS700212 401, saw audience-accepted AADSTS700212 401
        credential-for-another-namespace/aws: passed: expected read 52, saw read 52
        credential-for-another-namespace/azure: passed: expected subject-accepted AADSTS700213 401, saw subject-accepted AADSTS700213 401
        label-missing/aws: passed: expected read 52, saw read 52
        label-missing/azure: passed: expected not injected, saw not injected
        no-credential/aws: passed: expected read 52, saw read 52
        no-credential/azure: passed: expected issuer-trusted AADSTS70025 401, saw issuer-trusted AADSTS70025 401
        no-provider/aws: passed: expected issuer-trusted InvalidIdentityToken 400, saw issuer-trusted InvalidIdentityToken 400
        no-provider/azure: passed: expected read 52, saw read 52
        no-role/aws: passed: expected read 52, saw read 52
        no-role/azure: passed: expected permitted ForbiddenByRbac 403, saw permitted ForbiddenByRbac 403
        role-without-get-object/aws: passed: expected permitted AccessDenied 403, saw permitted AccessDenied 403
        role-without-get-object/azure: passed: expected read 52, saw read 52
        wrong-audience/aws: passed: expected audience-accepted InvalidIdentityToken 400, saw audience-accepted InvalidIdentityToken 400
        wrong-audience/azure: passed: expected read 52, saw read 52
        wrong-namespace/aws: passed: expected subject-accepted AccessDenied 403, saw subject-accepted AccessDenied 403
        wrong-namespace/azure: passed: expected read 52, saw read 52
        "#);
    assert_eq!(ended.journal().open(), [""; 0]);
}

#[tokio::test]
async fn a_pod_keeps_reading_while_its_token_is_renewed_and_the_key_rotated() {
    let sandbox = Sandbox::with_own_scenarios();
    let words = ["e2e", "both-clouds", "self-managed-to-aws", "self-managed-to-azure", "--renewal", "--run-id", "r1"];
    let ended = sandbox.crossfed(&words).run().await;
    ended.expect_exit(0);
    let report = ended.report();
    let renewals =
        report.scenarios.iter().flat_map(|scenario| &scenario.checks).filter(|check| check.id.starts_with("renewal"));
    let mut count = 0;
    for check in renewals {
        let report::Observed::KeptReading { reads, tokens, keys } = check.observed else {
            panic!("{}: {:?}", check.id, check.observed);
        };
        assert!(reads >= tokens && tokens >= 2 && keys == 2, "{}: {reads} {tokens} {keys}", check.id);
        count += 1;
    }
    assert_eq!(count, 4, "two of both-clouds, one each of the others");
}
