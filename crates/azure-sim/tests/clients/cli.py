"""The same walk with the `az` command line, which `AZ` names, in two clouds: the public one's names through the proxy, and one
registered at loopback's names. Calls that do not need one another go side by side: each takes a second or two."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

ENV = os.environ
AZ, CLOUD = ENV["AZ"], ENV["CLOUD"]
TENANT, SUBSCRIPTION = ENV["AZURE_TENANT_ID"], ENV["AZURE_SUBSCRIPTION_ID"]
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"

# `az` keeps its state in a folder: the pod has its own.
PASSED_ON = ("HOME", "PATH", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
BASE = {name: ENV[name] for name in PASSED_ON if name in ENV}
BASE.update(AZURE_CORE_COLLECT_TELEMETRY="no", AZURE_CORE_INSTANCE_DISCOVERY="false", AZURE_CORE_NO_COLOR="true")
BASE.update(AZURE_CORE_LOGIN_EXPERIENCE_V2="off", AZURE_CORE_SURVEY_MESSAGE="no")
ADMIN, POD = str(pathlib.Path("admin").resolve()), str(pathlib.Path("pod").resolve())


def run(words, home):
    """In a copy of the state, or calls side by side wait for one another's locks; what signs in keeps the original."""
    words = words if isinstance(words, list) else words.split(" ")
    if words[0] in ("cloud", "login"):
        return start(words, home)
    with tempfile.TemporaryDirectory() as copy:
        return start(words, shutil.copytree(home, copy, dirs_exist_ok=True))


def start(words, home):
    env = {**BASE, "AZURE_CONFIG_DIR": home}
    return subprocess.run([AZ, *words, "--output", "json"], capture_output=True, text=True, env=env)


def az(words, home=ADMIN):
    done = run(words, home)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else None


def refused(code, words, home=ADMIN):
    done = run(words, home)
    assert done.returncode != 0 and code in done.stderr, f"{words}\n{done.stdout}\n{done.stderr}"


def together(*calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def later(words, home=ADMIN):
    return lambda: az(words, home)


def choose(home):
    if CLOUD != "AzureCloud":
        az(f"cloud register --name {CLOUD} --endpoint-resource-manager {ENV['LOCAL_MANAGER']}", home)
    az(f"cloud set --name {CLOUD}", home)


def login():
    choose(ADMIN)
    found = az(f"login --service-principal -u {ENV['AZURE_CLIENT_ID']} -p {ENV['AZURE_CLIENT_SECRET']} --tenant {TENANT}")
    assert [one["id"] for one in found] == [SUBSCRIPTION], found
    shown = az("account show")
    assert (shown["environmentName"], shown["tenantId"]) == (CLOUD, TENANT), shown


def provisioning():
    az("group create --name g --location westeurope --tags run=1")
    reader, _, vault, policy, account = together(
        later("identity create --name reader --resource-group g"),
        later("group list"),
        later("keyvault create --name az-kv --resource-group g --location westeurope --retention-days 7"),
        later("keyvault create --name az-policy --resource-group g --enable-rbac-authorization false"),
        later("storage account create --name azstore --resource-group g --sku Standard_LRS --allow-blob-public-access true"),
    )
    assert vault["properties"]["enableRbacAuthorization"] and not policy["properties"]["enableRbacAuthorization"]
    assert account["allowBlobPublicAccess"] is True
    made = f"--issuer {ENV['ISSUER']} --subject {ENV['SUBJECT']} --audiences {ENV['AUDIENCE']}"
    az(f"identity federated-credential create --name eks --identity-name reader --resource-group g {made}")
    principal = f"--assignee-object-id {reader['principalId']} --assignee-principal-type ServicePrincipal"
    admin = f"--assignee {ENV['AZURE_CLIENT_ID']} --scope {GROUP}"
    results = together(
        later("identity federated-credential list --identity-name reader --resource-group g"),
        later("identity federated-credential show --name eks --identity-name reader --resource-group g"),
        later("identity list --resource-group g"),
        later("identity show --name reader --resource-group g"),
        later("group show --name g"),
        later("keyvault list --resource-group g"),
        lambda: assign("Key Vault Secrets User", f"{principal} --scope {vault['id']}"),
        lambda: assign("Key Vault Secrets Officer", admin),
        lambda: assign("Storage Blob Data Contributor", admin),
        later(f"keyvault set-policy --name az-policy --object-id {reader['principalId']} --secret-permissions list"),
    )
    assert [one["name"] for one in results[0]] == ["eks"] and results[1]["subject"] == ENV["SUBJECT"]
    assert len(results[2]) == 1 and results[3]["clientId"] == reader["clientId"]
    assert sorted(one["name"] for one in results[5]) == ["az-kv", "az-policy"]
    found = az(f"role assignment list --scope {vault['id']}")
    assert [one["principalId"] for one in found] == [reader["principalId"]], found
    return reader


def assign(role, words):
    # A role's name has blanks.
    az(["role", "assignment", "create", "--role", role, *words.split(" ")])


def data():
    pathlib.Path("keys.json").write_text('{"keys": []}')
    blobs = "--account-name azstore --auth-mode login"
    together(
        later("keyvault secret set --vault-name az-kv --name db --value canary-one"),
        later("keyvault secret set --vault-name az-policy --name db --value canary-two"),
        later(f"storage container create --name oidc --public-access blob {blobs}"),
    )
    shown, listed, _ = together(
        later("keyvault secret show --vault-name az-kv --name db"),
        later("keyvault secret list --vault-name az-kv"),
        later(f"storage blob upload --container-name oidc --name openid/v1/jwks --file keys.json {blobs}"),
    )
    assert shown["value"] == "canary-one" and [one["name"] for one in listed] == ["db"]
    found = az(f"storage blob list --container-name oidc {blobs}")
    assert [one["name"] for one in found] == ["openid/v1/jwks"], found


def pod_login(reader):
    choose(POD)
    who = f"--service-principal -u {reader['clientId']} --tenant {TENANT} --allow-no-subscriptions"
    token = lambda name: pathlib.Path(ENV[name]).read_text()
    refused("AADSTS700213", f"login {who} --federated-token {token('STRANGER_TOKEN_FILE')}", POD)
    az(f"login {who} --federated-token {token('TOKEN_FILE')}", POD)


def pod(reader):
    pod_login(reader)
    shown, _, _ = together(
        later("keyvault secret show --vault-name az-kv --name db", POD),
        lambda: refused("ForbiddenByRbac", "keyvault secret set --vault-name az-kv --name other --value canary", POD),
        lambda: refused("get permission", "keyvault secret show --vault-name az-policy --name db", POD),
    )
    assert shown["value"] == "canary-one"


def removal(reader):
    together(
        later("keyvault secret delete --vault-name az-kv --name db"),
        later(f"role assignment delete --assignee-object-id {reader['principalId']} --scope {GROUP}/providers/Microsoft.KeyVault/vaults/az-kv"),
        later("identity federated-credential delete --name eks --identity-name reader --resource-group g --yes"),
    )
    together(
        lambda: refused("SecretNotFound", "keyvault secret show --vault-name az-kv --name db"),
        later("identity delete --name reader --resource-group g"),
        later("keyvault delete --name az-policy"),
        later("storage account delete --name azstore --resource-group g --yes"),
    )
    az("keyvault purge --name az-policy --location westeurope")
    az("group delete --name g --yes")
    assert az("group list") == []


def elsewhere():
    """At loopback's names: the way from a group to a secret that the pod reads."""
    az("group create --name g --location westeurope")
    reader, vault = together(
        later("identity create --name reader --resource-group g"),
        later("keyvault create --name az-kv --resource-group g"),
    )
    assert vault["properties"]["vaultUri"].startswith("https://az-kv.vault.localhost"), vault
    made = f"--issuer {ENV['ISSUER']} --subject {ENV['SUBJECT']} --audiences {ENV['AUDIENCE']}"
    together(
        later(f"identity federated-credential create --name eks --identity-name reader --resource-group g {made}"),
        lambda: assign("Key Vault Secrets User", f"--assignee {reader['clientId']} --scope {vault['id']}"),
        lambda: assign("Key Vault Secrets Officer", f"--assignee {ENV['AZURE_CLIENT_ID']} --scope {GROUP}"),
    )
    az("keyvault secret set --vault-name az-kv --name db --value canary-one")
    pod_login(reader)
    assert az("keyvault secret show --vault-name az-kv --name db", POD)["value"] == "canary-one"
    az("group delete --name g --yes")


login()
if CLOUD == "AzureCloud":
    reader = provisioning()
    data()
    pod(reader)
    removal(reader)
else:
    elsewhere()
print("done")
