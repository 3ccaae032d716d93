"""Walks through provisioning and access with the SDK, as the scenarios do, and through what must be refused."""

import os
import socket
import uuid

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource.resources import ResourceManagementClient

ENV = os.environ
TENANT, SUBSCRIPTION = ENV["AZURE_TENANT_ID"], ENV["AZURE_SUBSCRIPTION_ID"]
ROOT = f"/subscriptions/{SUBSCRIPTION}"
USER, OFFICER = "4633458b-17de-408a-b874-0445c86b69e6", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"

admin = ClientSecretCredential(TENANT, ENV["AZURE_CLIENT_ID"], ENV["AZURE_CLIENT_SECRET"])
resources = ResourceManagementClient(admin, SUBSCRIPTION)
identities = ManagedServiceIdentityClient(admin, SUBSCRIPTION)
vaults = KeyVaultManagementClient(admin, SUBSCRIPTION)
roles = AuthorizationManagementClient(admin, SUBSCRIPTION)
made = {}


def refused(code, call, *args, status=None, contains="", **kwargs):
    """The call must fail with this code."""
    try:
        answer = call(*args, **kwargs)
    except ClientAuthenticationError as error:
        assert code in str(error) and contains in str(error), error
        return
    except HttpResponseError as error:
        found = error.error
        codes = [found.code if found else None, (found.innererror or {}).get("code") if found else None]
        assert code in codes and contains in str(error), (codes, error)
        assert status is None or error.status_code == status, error
        return
    raise AssertionError(f"{code} expected, got {answer}")


def assign(scope, role, principal, **more):
    body = {"properties": {"roleDefinitionId": f"{ROOT}/providers/Microsoft.Authorization/roleDefinitions/{role}",
                           "principalId": principal, **more}}
    return roles.role_assignments.create(scope, str(uuid.uuid4()), body)


def provisioning():
    assert not resources.resource_groups.check_existence("shop")
    resources.resource_groups.create_or_update("shop", {"location": "westeurope", "tags": {"run": "1"}})
    assert resources.resource_groups.check_existence("shop")
    assert [one.name for one in resources.resource_groups.list()] == ["shop"]
    found = resources.resource_groups.list(filter="tagName eq 'run' and tagValue eq '1'")
    assert [one.name for one in found] == ["shop"]
    identity = identities.user_assigned_identities.create_or_update("shop", "reader", {"location": "westeurope"})
    made["client"], made["principal"] = identity.client_id, identity.principal_id
    trust = {"properties": {"issuer": ENV["ISSUER"], "subject": ENV["SUBJECT"], "audiences": [ENV["AUDIENCE"]]}}
    identities.federated_identity_credentials.create_or_update("shop", "reader", "eks", trust)
    found = list(identities.federated_identity_credentials.list("shop", "reader"))
    assert [(one.name, one.subject, one.audiences) for one in found] == [("eks", ENV["SUBJECT"], [ENV["AUDIENCE"]])]
    refused("BadRequest", identities.federated_identity_credentials.create_or_update, "shop", "reader", "other", trust,
            status=400, contains="already exists")
    properties = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    body = {"location": "westeurope", "properties": properties}
    vault = vaults.vaults.begin_create_or_update("shop", "shop-kv", body).result()
    made["vault"], made["url"] = vault.id, vault.properties.vault_uri
    assert [one.name for one in vaults.vaults.list_by_resource_group("shop")] == ["shop-kv"]
    vaults.secrets.create_or_update("shop", "shop-kv", "from-arm", {"properties": {"value": "canary from arm"}})
    names = sorted(one.name for one in resources.resources.list_by_resource_group("shop"))
    assert names == ["reader", "shop-kv"], names
    refused("ResourceGroupNotFound", resources.resource_groups.get, "absent", status=404)


def workload(token="TOKEN_FILE", client=None, tenant=TENANT):
    return WorkloadIdentityCredential(
        tenant_id=tenant, client_id=client or made["client"], token_file_path=ENV[token]
    )


def secrets(url, credential, **more):
    return SecretClient(url, credential, retry_total=0, **more)


def access():
    """What the pod does: a token in a file, and no secret."""
    pod = secrets(made["url"], workload())
    refused("ForbiddenByRbac", pod.get_secret, "from-arm", status=403, contains="DeniedWithNoValidRBAC")
    assert assign(made["vault"], USER, made["principal"]).principal_type == "ServicePrincipal"
    refused("RoleAssignmentExists", assign, made["vault"], USER, made["principal"], status=409)
    assert pod.get_secret("from-arm").value == "canary from arm"
    refused("SecretNotFound", pod.get_secret, "absent", status=404)
    refused("ForbiddenByRbac", pod.set_secret, "new", "canary", status=403, contains="setSecret")
    check = lambda code, **other: refused(code, secrets(made["url"], workload(**other)).get_secret, "from-arm")
    check("AADSTS700213", token="STRANGER_TOKEN_FILE")
    check("AADSTS700212", token="OTHER_AUDIENCE_TOKEN_FILE")
    check("AADSTS700016", client=made["principal"])
    scope = "https://vault.azure.net/.default"
    elsewhere = workload(tenant=ENV["OTHER_TENANT_ID"])
    refused("AADSTS700016", elsewhere.get_token, scope)
    refused("AADSTS70011", workload().get_token, "https://vault.azure.net//.default")
    refused("AADSTS500011", workload().get_token, "https://vault.example/.default")
    wrong = ClientSecretCredential(TENANT, ENV["AZURE_CLIENT_ID"], "wrong")
    refused("AADSTS7000215", wrong.get_token, scope)
    # A pod may not provision.
    refused("AuthorizationFailed", ResourceManagementClient(workload(), SUBSCRIPTION).resource_groups.get, "shop",
            status=403)
    foreign = ResourceManagementClient(admin, ENV["OTHER_SUBSCRIPTION_ID"]).resource_groups
    refused("InvalidAuthenticationTokenTenant", lambda: list(foreign.list()))
    absent = ResourceManagementClient(admin, str(uuid.uuid4())).resource_groups
    refused("SubscriptionNotFound", lambda: list(absent.list()), status=404)


def life():
    """A secret from its first version to its purge."""
    refused("ForbiddenByRbac", secrets(made["url"], admin).set_secret, "db", "canary", status=403)
    assign(made["vault"], OFFICER, ENV["ADMIN_OBJECT_ID"], principalType="ServicePrincipal")
    client = secrets(made["url"], admin)
    first = client.set_secret("db", "canary one", content_type="text/plain", tags={"a": "b"})
    second = client.set_secret("db", "canary two")
    assert client.get_secret("db").value == "canary two"
    assert client.get_secret("db", first.properties.version).value == "canary one"
    versions = {one.version for one in client.list_properties_of_secret_versions("db")}
    assert versions == {first.properties.version, second.properties.version}
    changed = client.update_secret_properties("db", enabled=False, tags={"c": "d"})
    assert (changed.enabled, changed.tags) == (False, {"c": "d"})
    refused("SecretDisabled", client.get_secret, "db", status=403)
    client.update_secret_properties("db", enabled=True)
    for number in range(30):
        client.set_secret(f"many-{number:02}", "canary")
    pages = [len(list(page)) for page in client.list_properties_of_secrets(max_page_size=20).by_page()]
    assert pages == [20, 12], pages
    pages = [len(list(page)) for page in client.list_properties_of_secrets().by_page()]
    assert pages == [25, 7], pages
    deleted = client.begin_delete_secret("db").result()
    assert deleted.recovery_id.endswith("/deletedsecrets/db") and deleted.scheduled_purge_date
    refused("SecretNotFound", client.get_secret, "db", status=404)
    refused("ObjectIsDeletedButRecoverable", client.set_secret, "db", "canary", status=409)
    assert [one.name for one in client.list_deleted_secrets()] == ["db"]
    assert client.begin_recover_deleted_secret("db").result().name == "db"
    assert client.get_secret("db").value == "canary two"
    client.begin_delete_secret("db").result()
    client.purge_deleted_secret("db")
    try:
        client.get_deleted_secret("db")
        raise AssertionError("what was purged is still there")
    except ResourceNotFoundError:
        pass
    refused("BadParameter", client.set_secret, "large", "x" * 25601, status=400)


def policies():
    """The same access where a vault goes by access policies."""
    policy = {"tenantId": TENANT, "objectId": made["principal"], "permissions": {"secrets": ["list"]}}
    properties = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": False,
                  "accessPolicies": [policy]}
    body = {"location": "westeurope", "properties": properties}
    vault = vaults.vaults.begin_create_or_update("shop", "shop-policy", body).result()
    vaults.secrets.create_or_update("shop", "shop-policy", "db", {"properties": {"value": "canary by policy"}})
    pod = secrets(vault.properties.vault_uri, workload())
    assert [one.name for one in pod.list_properties_of_secrets()] == ["db"]
    refused("AccessDenied", pod.get_secret, "db", status=403, contains="does not have secrets get permission")
    policy["permissions"] = {"secrets": ["get"]}
    vaults.vaults.update_access_policy("shop", "shop-policy", "add", {"properties": {"accessPolicies": [policy]}})
    assert pod.get_secret("db").value == "canary by policy"


def without_proxy():
    """The same services at one port of loopback."""
    resolve = socket.getaddrinfo
    # Not every system's resolver knows the names under `localhost`.
    local = lambda host: "127.0.0.1" if str(host).endswith(".localhost") else host
    socket.getaddrinfo = lambda host, *args, **more: resolve(local(host), *args, **more)
    ENV["NO_PROXY"] = "localhost,.localhost"
    options = {"authority": ENV["LOCAL_AUTHORITY"], "disable_instance_discovery": True}
    pod = WorkloadIdentityCredential(
        tenant_id=TENANT, client_id=made["client"], token_file_path=ENV["TOKEN_FILE"], **options
    )
    url = ENV["LOCAL_VAULT"].replace("NAME", "shop-kv").replace("name", "shop-kv")
    assert secrets(url, pod).get_secret("from-arm").value == "canary from arm"
    pages = [len(list(page)) for page in secrets(url, admin).list_properties_of_secrets(max_page_size=20).by_page()]
    assert pages == [20, 11], pages
    owner = ClientSecretCredential(TENANT, ENV["AZURE_CLIENT_ID"], ENV["AZURE_CLIENT_SECRET"], **options)
    manager = ENV["LOCAL_MANAGER"]
    client = KeyVaultManagementClient(
        owner, SUBSCRIPTION, base_url=manager, credential_scopes=[f"{manager}/.default"]
    )
    assert client.vaults.get("shop", "shop-kv").properties.vault_uri == f"{url}/"


def removal():
    found = [one for one in roles.role_assignments.list_for_scope(made["vault"]) if one.principal_id == made["principal"]]
    assert len(found) == 1
    roles.role_assignments.delete_by_id(found[0].id)
    refused("ForbiddenByRbac", secrets(made["url"], workload()).get_secret, "from-arm", status=403)
    identities.federated_identity_credentials.delete("shop", "reader", "eks")
    refused("AADSTS70025", workload().get_token, "https://vault.azure.net/.default")
    identities.user_assigned_identities.delete("shop", "reader")
    refused("AADSTS700016", workload().get_token, "https://vault.azure.net/.default")
    vaults.vaults.delete("shop", "shop-kv")
    assert [one.name for one in vaults.vaults.list_deleted()] == ["shop-kv"]
    vaults.vaults.begin_purge_deleted("shop-kv", "westeurope").result()
    assert list(vaults.vaults.list_deleted()) == []
    resources.resource_groups.begin_delete("shop").result()
    assert list(resources.resource_groups.list()) == []


for step in (provisioning, access, life, policies, without_proxy, removal):
    print(step.__name__, flush=True)
    step()
