"""The same walk with the `aws` command line, where it stands beside the interpreter."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

ENV = os.environ
ACCOUNT, ISSUER, SUBJECT = ENV["ACCOUNT"], ENV["ISSUER"], ENV["SUBJECT"]
PATH = ISSUER.removeprefix("https://")
AWS = pathlib.Path(sys.executable).parent / "aws"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cli"

if not AWS.exists():
    # An exchange all the same, since the log is looked at afterwards.
    import boto3

    token = pathlib.Path(ENV["TOKEN_FILE"]).read_text()
    role = f"arn:aws:iam::{ACCOUNT}:role/reader"
    boto3.client("sts").assume_role_with_web_identity(RoleArn=role, RoleSessionName="ss", WebIdentityToken=token)
    print(f"skipped: there is no {AWS}")
    sys.exit(0)


# The pod must not have them.
ADMIN = {name: ENV.pop(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}


def run(line, env):
    words = line if isinstance(line, list) else line.split()
    return subprocess.run([AWS, *words], capture_output=True, text=True, env={**ENV, **(env or ADMIN)})


def aws(line, **env):
    done = run(line, env)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def answer(line, **env):
    return json.loads(aws(line, **env))


def refused(code, line, **env):
    done = run(line, env)
    assert done.returncode != 0 and code in done.stderr, f"{line}\n{done.stdout}\n{done.stderr}"


def write(name, value):
    pathlib.Path(name).write_text(value if isinstance(value, str) else json.dumps(value))
    return f"file://{name}"


statement = {
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PATH}"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringEquals": {f"{PATH}:aud": "sts.amazonaws.com", f"{PATH}:sub": SUBJECT}},
}
trust = write("trust.json", {"Version": "2012-10-17", "Statement": [statement]})
reading = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::cli", "arn:aws:s3:::cli/*"]}
permissions = write("policy.json", {"Version": "2012-10-17", "Statement": [reading]})

# Provisioning.
url = "https://issuer.example/cli"
provider = answer(f"iam create-open-id-connect-provider --url {url} --client-id-list a --thumbprint-list {'0' * 40}")
provider = provider["OpenIDConnectProviderArn"]
aws(f"iam tag-open-id-connect-provider --open-id-connect-provider-arn {provider} --tags Key=run,Value=1")
assert provider in aws("iam list-open-id-connect-providers")
aws(f"iam delete-open-id-connect-provider --open-id-connect-provider-arn {provider}")
aws(f"iam create-role --role-name cli --assume-role-policy-document {trust}")
policy = answer(f"iam create-policy --policy-name cli --policy-document {permissions}")["Policy"]["Arn"]
aws(f"iam attach-role-policy --role-name cli --policy-arn {policy}")
aws("iam wait role-exists --role-name cli")
first = answer("iam list-policies --scope Local --max-items 1")
assert len(first["Policies"]) == 1, first
assert len(answer("iam list-roles --page-size 1")["Roles"]) == 2
some = answer("iam list-roles --max-items 1")
rest = answer(f"iam list-roles --starting-token {some['NextToken']}")
assert len(some["Roles"]) == len(rest["Roles"]) == 1
words = f"iam simulate-principal-policy --policy-source-arn {ROLE} --resource-arns arn:aws:s3:::cli/k --action-names"
found = answer(f"{words} s3:GetObject s3:PutObject")["EvaluationResults"]
assert [one["EvalDecision"] for one in found] == ["allowed", "implicitDeny"], found

# Objects, one of them larger than what goes in one piece.
aws("s3 mb s3://cli")
write("hello.txt", "hello, world")
pathlib.Path("large.bin").write_bytes(bytes(range(256)) * 4096 * 9)
aws("s3 cp hello.txt s3://cli/test-file.txt")
aws("s3 cp large.bin s3://cli/large.bin")
assert "test-file.txt" in aws("s3 ls s3://cli")
assert "cli" in aws("s3 ls")
aws("s3 cp s3://cli/large.bin copy.bin")
assert pathlib.Path("copy.bin").read_bytes() == pathlib.Path("large.bin").read_bytes()
aws("s3 cp s3://cli/large.bin s3://cli/again.bin")
pathlib.Path("tree/a/b").mkdir(parents=True)
for number in range(5):
    pathlib.Path(f"tree/a/b/{number}.txt").write_text(str(number))
aws("s3 sync tree s3://cli/tree")
assert aws("s3 sync tree s3://cli/tree") == ""
aws("s3 sync s3://cli/tree back")
assert sorted(path.name for path in pathlib.Path("back/a/b").iterdir()) == [f"{number}.txt" for number in range(5)]
assert len(answer("s3api list-objects-v2 --bucket cli --prefix tree/ --page-size 2")["Contents"]) == 5
assert answer("s3api head-object --bucket cli --key test-file.txt")["ContentLength"] == 12
aws("s3api get-object --bucket cli --key test-file.txt --range bytes=0-4 part.txt")
assert pathlib.Path("part.txt").read_text() == "hello"
denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::cli/tree/*"}
bucket_policy = write("bucket.json", {"Version": "2012-10-17", "Statement": [denial]})
aws(f"s3api put-bucket-policy --bucket cli --policy {bucket_policy}")
aws("s3api put-bucket-tagging --bucket cli --tagging TagSet=[{Key=run,Value=1}]")
presigned = aws("s3 presign s3://cli/test-file.txt").strip()
assert urllib.request.urlopen(presigned).read() == b"hello, world"

# The pod: a role and a token in a file, and no key.
pod = {
    "AWS_ROLE_ARN": ROLE,
    "AWS_WEB_IDENTITY_TOKEN_FILE": ENV["TOKEN_FILE"],
    "AWS_ROLE_SESSION_NAME": "pod",
}
arn = answer("sts get-caller-identity", **pod)["Arn"]
assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/cli/pod", arn
assert "test-file.txt" in aws("s3 ls s3://cli", **pod)
assert aws("s3 cp s3://cli/test-file.txt -", **pod) == "hello, world"
refused("AccessDenied", "s3api get-object --bucket cli --key tree/a/b/0.txt out.txt", **pod)
refused("AccessDenied", "s3 cp hello.txt s3://cli/other.txt", **pod)
refused("InvalidIdentityToken", "sts get-caller-identity", **{**pod, "AWS_ROLE_ARN": ROLE.replace(ACCOUNT, ENV["OTHER_ACCOUNT"])})
refused("AccessDenied", "sts get-caller-identity", **{**pod, "AWS_WEB_IDENTITY_TOKEN_FILE": ENV["STRANGER_TOKEN_FILE"]})
print("done")
