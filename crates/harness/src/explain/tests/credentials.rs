//! Federated credentials, identities and role assignments.

use super::{AZURE, check};

#[test]
fn a_credential_that_nearly_fits_gets_the_nearest_hint() {
    let credential = |from: &'static str, to: &'static str| vec![("federated-credential.json", from, to)];
    let fix =
        "az identity federated-credential update --resource-group shop --identity-name reader --name eks --issuer";
    check(&credential("CDEF\"", "CDEF/\""), AZURE, "+++?+x++.+.", &["required with one and presented without", fix]);
    check(&credential("shop:reader", "shop:Reader"), AZURE, "+++?+++x.+.", &["upper and lower case", fix]);
    check(&credential("shop:reader", "shop:*"), AZURE, "+++?+++x.+.", &["plain characters", fix]);
    check(&credential("serviceaccount:shop", "serviceaccount:prod"), AZURE, "+++?+++x.+.", &["another namespace", fix]);
    check(&credential("api://AzureADTokenExchange", "api://other"), AZURE, "+++?++x+.+.", &["unusual audience", fix]);
    let token = "--token token-aws.jwt --federated-credential federated-credential.json";
    check(&[], token, "??+??xx+.?.", &["the token for AWS", "--audience api://AzureADTokenExchange"]);
}

#[test]
fn credentials_are_read_as_each_tool_prints_them_and_the_nearest_is_shown() {
    let wrapped = "{\"value\": [{\"name\": \"far\", \"properties\": {\"issuer\": \"https://h\", \"subject\": \"s\", \"audiences\": [\"a\"]}}, {\"name\": \"eks\", \"properties\":\n{";
    let changes = [("federated-credential.json", "{\n", wrapped), ("federated-credential.json", "\n}\n", "\n}}]}")];
    check(&changes, AZURE, "+++?++++?+?", &[]);
    let flexible = [(
        "federated-credential.json",
        "\"subject\": \"system:serviceaccount:shop:reader\"",
        "\"claimsMatchingExpression\": {}",
    )];
    check(&flexible, AZURE, "+++?+++??+?", &[]);
}

#[test]
fn roles_belong_to_the_principal_id_and_clients_to_the_client_id() {
    let (client, principal) = ("22222222-0000-4000-8000-000000000000", "33333333-0000-4000-8000-000000000000");
    let fix = "az role assignment create --role 'Key Vault Secrets User' --assignee-object-id 33333333";
    check(&[("role-assignments.json", principal, client)], AZURE, "+++?++++?x.", &["assigned to the client id", fix]);
    let reader = [
        ("role-assignments.json", "Key Vault Secrets User", "Key Vault Reader"),
        ("role-assignments.json", "4633458b-17de-408a-b874-0445c86b69e6", "21090545-7ca7-4776-b22c-e363652d74d2"),
    ];
    check(&reader, AZURE, "+++?++++?x.", &["names and properties, not values", fix]);
    let annotated = [("service-account.yaml", client, principal)];
    check(
        &annotated,
        AZURE,
        "x++?++++.+.",
        &["the principal id stands in place of the client id", "client-id=22222222"],
    );
}
