"""IAM and STS on fnd's endpoint, by boto3 and the AWS CLI: roles, policies, users, sessions; and who may do what with them."""
import http.client, json, os, re, subprocess, tempfile, time
from harness import *
import pypi

KEY, SECRET = "AKIAROOTEXAMPLE12345", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PORT = free_port()
ROOT = {"credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}], "gateway": {"listen": f"127.0.0.1:{PORT}"}}
ACCOUNT = "000000000000"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
NAMES = iter(range(10**6))


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class IamCase(Case):
    @classmethod
    def setUpClass(cls):
        cls.d = shared(ROOT)
        cls.iam, cls.sts, cls.fn = (cls.client(s) for s in ("iam", "sts", "lambda"))

    @classmethod
    def client(cls, service, key=KEY, secret=SECRET, token=None, d=None):
        return boto(d or cls.d, service, key=key, secret=secret, token=token)

    def name(self):
        return f"x{next(NAMES)}-{self.id().split('.')[-1]}"[:60]

    def role(self, trust=TRUST, **more):
        name = self.name()
        return self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust if isinstance(trust, str) else json.dumps(trust), **more)["Role"]

    def user(self, *statements):
        """Its name, and a factory of clients with a key of its own."""
        name = self.name()
        self.iam.create_user(UserName=name)
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(*statements))
        k = self.iam.create_access_key(UserName=name)["AccessKey"]
        return name, lambda service: self.client(service, k["AccessKeyId"], k["SecretAccessKey"])

    def function(self, **more):
        name = self.name()
        self.fn.create_function(FunctionName=name, Timeout=30, Runtime="provided.al2023", Handler="bootstrap", Role=f"arn:aws:iam::{ACCOUNT}:role/any", Code={"ZipFile": native_zip()}, **more)
        self.addCleanup(lambda: self.fn.delete_function(FunctionName=name))
        return name

    def signed(self, key, service, method, path, body=None, headers=None):
        """What boto3 would not send."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        r = AWSRequest(method, self.d.endpoint + path, headers or {}, body)
        SigV4Auth(Credentials(key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken")), service, "us-east-1").add_auth(r)
        return self.d.request(method, path, body, dict(r.headers))

    def refused(self, code, status, call, *args, **kw):
        with self.assertRaises(self.iam.exceptions.ClientError) as e:
            call(*args, **kw)
        r = e.exception.response
        self.assertEqual((r["Error"]["Code"], r["ResponseMetadata"]["HTTPStatusCode"]), (code, status), r)
        return r["Error"]["Message"]


class Iam(IamCase):
    # --- what terraform-provider-aws does about an aws_iam_role ---
    def test_a_role_as_terraform_has_it(self):
        name = self.name()
        made = self.iam.create_role(RoleName=name, Path="/", AssumeRolePolicyDocument=json.dumps(TRUST), MaxSessionDuration=3600, Tags=[{"Key": "a", "Value": "b"}])["Role"]
        self.assertEqual((made["Arn"], made["Path"]), (f"arn:aws:iam::{ACCOUNT}:role/{name}", "/"))
        self.assertRegex(made["RoleId"], "^AROA[A-Z2-7]{17}$")
        self.assertEqual(set(made), {"Arn", "AssumeRolePolicyDocument", "CreateDate", "Path", "RoleId", "RoleName", "Tags"})
        got = self.iam.get_role(RoleName=name)["Role"]
        self.assertEqual((got["AssumeRolePolicyDocument"], got["Tags"], got["MaxSessionDuration"]), (TRUST, [{"Key": "a", "Value": "b"}], 3600))
        self.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy(allow("s3:GetObject")))
        self.iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
        self.assertEqual(self.iam.list_role_policies(RoleName=name)["PolicyNames"], ["inline"])
        self.assertEqual(self.iam.get_role_policy(RoleName=name, PolicyName="inline")["PolicyDocument"]["Statement"][0]["Action"], "s3:GetObject")
        self.assertEqual([p["PolicyName"] for p in self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]], ["AWSLambdaBasicExecutionRole"])
        self.iam.update_role(RoleName=name, Description="d", MaxSessionDuration=7200)
        self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps({**TRUST, "Id": "x"}))
        self.iam.tag_role(RoleName=name, Tags=[{"Key": "A", "Value": "c"}, {"Key": "z", "Value": ""}])
        self.iam.untag_role(RoleName=name, TagKeys=["z"])
        got = self.iam.get_role(RoleName=name)["Role"]
        self.assertEqual((got["Description"], got["MaxSessionDuration"], got["AssumeRolePolicyDocument"]["Id"], got["Tags"]), ("d", 7200, "x", [{"Key": "A", "Value": "c"}]))
        # destroyed
        self.assertEqual(self.iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"], [])
        self.assertEqual(self.refused("DeleteConflict", 409, self.iam.delete_role, RoleName=name), "Cannot delete entity, must detach all policies first.")
        self.iam.detach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
        self.assertEqual(self.refused("DeleteConflict", 409, self.iam.delete_role, RoleName=name), "Cannot delete entity, must delete policies first.")
        self.iam.delete_role_policy(RoleName=name, PolicyName="inline")
        self.iam.delete_role(RoleName=name)
        self.assertEqual(self.refused("NoSuchEntity", 404, self.iam.get_role, RoleName=name), f"The role with name {name} cannot be found.")

    def test_policies_and_their_versions(self):
        name = self.name()
        made = self.iam.create_policy(PolicyName=name, Path="/x/", PolicyDocument=policy(allow("lambda:Get*")), Description="d")["Policy"]
        arn = made["Arn"]
        self.assertEqual(self.iam.get_policy(PolicyArn=arn)["Policy"], {**made, "Description": "d", "Tags": []}, "as the service has it")
        self.assertEqual(self.iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess")["Policy"]["Tags"], [])
        self.assertEqual(arn, f"arn:aws:iam::{ACCOUNT}:policy/x/{name}")
        self.assertIn("already exists", self.refused("EntityAlreadyExists", 409, self.iam.create_policy, PolicyName=name, PolicyDocument=policy(allow("*"))))
        v = self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("lambda:List*")), SetAsDefault=True)["PolicyVersion"]
        self.assertEqual((v["VersionId"], v["IsDefaultVersion"]), ("v2", True))
        self.assertEqual(self.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]["Statement"][0]["Action"], "lambda:Get*")
        self.assertEqual([(x["VersionId"], x["IsDefaultVersion"]) for x in self.iam.list_policy_versions(PolicyArn=arn)["Versions"]], [("v2", True), ("v1", False)])
        self.refused("DeleteConflict", 409, self.iam.delete_policy_version, PolicyArn=arn, VersionId="v2")
        for call in (self.iam.get_policy_version, self.iam.set_default_policy_version):
            for a in (arn, arn + "-gone"):
                self.assertEqual(self.refused("NoSuchEntity", 404, call, PolicyArn=a, VersionId="v9"), f"Policy {a} version v9 does not exist or is not attachable.")
        self.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        self.iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
        self.assertEqual(self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("*")))["PolicyVersion"]["VersionId"], "v3", "numbers do not come again")
        for _ in range(3):
            self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("*")))
        self.refused("LimitExceeded", 409, self.iam.create_policy_version, PolicyArn=arn, PolicyDocument=policy(allow("*")))
        pages = list(self.iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2}))
        self.assertEqual([[v["VersionId"] for v in p["Versions"]] for p in pages], [["v6", "v5"], ["v4", "v3"], ["v1"]], "the newest first")
        role = self.role()["RoleName"]
        self.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        self.assertEqual(self.iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"], 1)
        self.assertEqual([r["RoleName"] for r in self.iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]], [role])
        self.refused("DeleteConflict", 409, self.iam.delete_policy, PolicyArn=arn)
        self.assertEqual([p["Arn"] for p in self.iam.list_policies(Scope="Local", PathPrefix="/x/")["Policies"]], [arn])
        aws = [p["Arn"] for page in self.iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 7}) for p in page["Policies"]]
        self.assertTrue(len(aws) > 30 and aws == sorted(aws) and len(set(aws)) == len(aws))
        for a in aws:
            self.assertTrue(self.iam.get_policy_version(PolicyArn=a, VersionId=self.iam.get_policy(PolicyArn=a)["Policy"]["DefaultVersionId"])["PolicyVersion"]["Document"]["Statement"])
        self.refused("NoSuchEntity", 404, self.iam.attach_role_policy, RoleName=role, PolicyArn="arn:aws:iam::aws:policy/NoSuch")

    def test_a_boundary_must_be_there(self):
        known, gone = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess", f"arn:aws:iam::{ACCOUNT}:policy/nonexistent-policy"
        other = f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid"
        role = self.role(PermissionsBoundary=known)
        self.assertEqual(role["PermissionsBoundary"]["PermissionsBoundaryArn"], known)
        for call in (lambda arn: self.role(PermissionsBoundary=arn), lambda arn: self.iam.put_role_permissions_boundary(RoleName=role["RoleName"], PermissionsBoundary=arn),
                     lambda arn: self.iam.create_user(UserName=self.name(), PermissionsBoundary=arn)):
            self.assertEqual(self.refused("NoSuchEntity", 404, call, gone), f"Scope ARN: {gone} does not exist or is not attachable.")
            self.assertEqual(self.refused("InvalidInput", 400, call, other), f"ARN {other} is not valid.")
        attach = lambda arn: self.iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
        self.assertEqual(self.refused("ValidationError", 400, attach, "longpolicynamebutnoarn"), "ARN longpolicynamebutnoarn is not valid.")
        self.assertEqual(self.refused("NoSuchEntity", 404, attach, gone), f"Policy {gone} does not exist or is not attachable.")
        self.iam.delete_role_permissions_boundary(RoleName=role["RoleName"])
        self.assertNotIn("PermissionsBoundary", self.iam.get_role(RoleName=role["RoleName"])["Role"])

    def test_names_beside_each_other_differ_in_more_than_their_case(self):
        name = self.name()
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.iam.create_user(UserName=name)
        self.iam.create_policy(PolicyName=name, PolicyDocument=policy(allow("*")))
        self.iam.create_instance_profile(InstanceProfileName=name)
        self.addCleanup(self.iam.delete_instance_profile, InstanceProfileName=name)
        up = name.upper()
        self.assertEqual(self.refused("EntityAlreadyExists", 409, self.iam.create_role, RoleName=up, AssumeRolePolicyDocument=json.dumps(TRUST)), f"Role with name {up} already exists.")
        self.assertEqual(self.refused("EntityAlreadyExists", 409, self.iam.create_user, UserName=up), f"User with name {up} already exists.")
        self.assertIn(up, self.refused("EntityAlreadyExists", 409, self.iam.create_policy, PolicyName=up, Path="/other/", PolicyDocument=policy(allow("*"))))
        self.assertIn(up, self.refused("EntityAlreadyExists", 409, self.iam.create_instance_profile, InstanceProfileName=up))
        self.refused("NoSuchEntity", 404, self.iam.get_role, RoleName=up)

    def test_tags_of_policies_differ_in_their_case(self):
        tags = [{"Key": "a", "Value": "lower"}, {"Key": "A", "Value": "upper"}]
        arn = self.iam.create_policy(PolicyName=self.name(), PolicyDocument=policy(allow("*")), Tags=tags)["Policy"]["Arn"]
        self.iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "A", "Value": "new"}])
        self.assertEqual(self.iam.list_policy_tags(PolicyArn=arn)["Tags"], [{"Key": "A", "Value": "new"}, tags[0]])
        self.iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
        self.assertEqual(self.iam.list_policy_tags(PolicyArn=arn)["Tags"], [{"Key": "A", "Value": "new"}])
        self.assertEqual(self.refused("InvalidInput", 400, self.iam.tag_policy, PolicyArn=arn, Tags=[tags[0], tags[0]]), "Duplicate tag keys found.")
        self.assertEqual(self.refused("InvalidInput", 400, self.role, Tags=tags), "Duplicate tag keys found. Please note that Tag keys are case insensitive.")

    def test_malformed_documents(self):
        name = self.role()["RoleName"]
        put = lambda text: self.refused("MalformedPolicyDocument", 400, self.iam.put_role_policy, RoleName=name, PolicyName="p", PolicyDocument=text)
        self.assertEqual(put("{"), "Syntax errors in policy.")
        self.assertEqual(put(policy({"Effect": "Allow", "Resource": "*"})), "Policy statement must contain actions.")
        self.assertEqual(put(policy(allow("invoke"))), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        self.assertEqual(put(policy(allow("lambda:*", Condition={"StringIs": {"aws:username": "u"}}))), "Invalid Condition type : StringIs.")
        self.assertIn("cannot judge the condition key aws:RequestTag/x", put(policy(allow("lambda:*", Condition={"StringEquals": {"aws:RequestTag/x": "u"}}))))
        self.assertEqual(self.refused("MalformedPolicyDocument", 400, self.iam.update_assume_role_policy, RoleName=name, PolicyDocument=policy(allow("sts:AssumeRole"))),
                         "Missing required field Principal")
        trust = lambda text: self.refused("MalformedPolicyDocument", 400, self.iam.update_assume_role_policy, RoleName=name, PolicyDocument=text)
        self.assertEqual(trust("not json"), "This policy contains invalid Json")
        self.assertEqual(trust(json.dumps(TRUST).replace("amazonaws", "amazon")), 'Invalid principal in policy: "SERVICE":"lambda.amazon.com"')
        for text, why in ((allow("a:b:c"), "Actions/Condition can contain only one colon."), (allow("a a:b"), "Vendor a a is not valid"),
                          (allow("s3:*", "arn:error:s3:::b"), 'Partition "error" is not valid for resource "arn:error:s3:::b".'),
                          (allow("s3:*", Sid="not so"), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")):
            self.assertEqual(put(policy(text)), why)
            self.assertEqual(self.refused("MalformedPolicyDocument", 400, self.iam.create_policy, PolicyName=self.name(), PolicyDocument=policy(text)), why)
        # of a value IAM says nothing
        self.assertTrue(self.refused("ValidationError", 400, self.iam.get_role, RoleName="a/b").startswith("1 validation error detected: Value at 'roleName' failed to satisfy constraint: Member must"))
        self.assertEqual(self.refused("ValidationError", 400, self.role, Tags=[{"Key": "k" * 129, "Value": ""}]),
                         "1 validation error detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 128")

    def test_lists_have_pages(self):
        prefix = f"/{self.name()}/"
        names = sorted(self.role(Path=prefix)["RoleName"] for _ in range(5))
        pages = list(self.iam.get_paginator("list_roles").paginate(PathPrefix=prefix, PaginationConfig={"PageSize": 2}))
        self.assertEqual([len(p["Roles"]) for p in pages], [2, 2, 1])
        self.assertEqual([r["RoleName"] for p in pages for r in p["Roles"]], names)

    def test_service_linked_roles(self):
        r = self.iam.create_service_linked_role(AWSServiceName="replicator.lambda.amazonaws.com", CustomSuffix=str(next(NAMES)))["Role"]
        self.assertTrue(r["Path"].startswith("/aws-service-role/"))
        self.refused("UnmodifiableEntity", 400, self.iam.delete_role, RoleName=r["RoleName"])
        task = self.iam.delete_service_linked_role(RoleName=r["RoleName"])["DeletionTaskId"]
        self.assertEqual(self.iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"], "SUCCEEDED")
        self.refused("NoSuchEntity", 404, self.iam.get_role, RoleName=r["RoleName"])

    # --- who may do what ---
    def test_a_user_may_what_its_policies_say(self):
        name, client = self.user()
        f = self.function()
        arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{f}"
        lam, sts = client("lambda"), client("sts")
        self.assertEqual(sts.get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/{name}")
        self.assertEqual(self.refused("AccessDeniedException", 403, lam.invoke, FunctionName=f),
                         f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: lambda:InvokeFunction on resource: {arn} because no identity-based policy allows the "
                         "lambda:InvokeFunction action")
        self.assertIn("lambda:ListFunctions because", self.refused("AccessDeniedException", 403, lam.list_functions))
        self.assertIn("iam:CreateRole", self.refused("AccessDenied", 403, client("iam").create_role, RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST)))
        self.assertIn("logs:DescribeLogGroups", self.refused("AccessDeniedException", 400, client("logs").describe_log_groups))
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(allow("lambda:InvokeFunction", arn)))
        self.assertEqual(lam.invoke(FunctionName=f)["StatusCode"], 200)
        self.refused("AccessDeniedException", 403, lam.get_function, FunctionName=f)
        self.iam.put_user_policy(UserName=name, PolicyName="q", PolicyDocument=policy({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}}))
        self.assertIn("with an explicit deny in an identity-based policy", self.refused("AccessDeniedException", 403, lam.invoke, FunctionName=f))
        self.iam.delete_user_policy(UserName=name, PolicyName="q")
        self.iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess")
        self.assertEqual(lam.get_function(FunctionName=f)["Configuration"]["FunctionName"], f)
        self.refused("AccessDeniedException", 403, lam.delete_function, FunctionName=f)

    def test_a_resource_policy_is_enough_by_name(self):
        name, client = self.user()
        f = self.function()
        self.refused("AccessDeniedException", 403, client("lambda").invoke, FunctionName=f)
        self.fn.add_permission(FunctionName=f, StatementId="s", Action="lambda:InvokeFunction", Principal=f"arn:aws:iam::{ACCOUNT}:user/{name}")
        self.assertEqual(client("lambda").invoke(FunctionName=f)["StatusCode"], 200)
        self.fn.remove_permission(FunctionName=f, StatementId="s")
        self.refused("AccessDeniedException", 403, client("lambda").invoke, FunctionName=f)

    def test_a_role_is_passed_by_who_may(self):
        role = self.role()
        _, client = self.user(allow("lambda:*"))
        make = lambda name: client("lambda").create_function(FunctionName=name, Timeout=30, Runtime="provided.al2023", Handler="bootstrap", Role=role["Arn"], Code={"ZipFile": native_zip()})
        self.assertIn(f"iam:PassRole on resource: {role['Arn']}", self.refused("AccessDeniedException", 403, make, self.name()))
        _, client = self.user(allow("lambda:*"), allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}))
        name = self.name()
        self.assertEqual(make(name)["Role"], role["Arn"])
        self.fn.delete_function(FunctionName=name)

    def test_keys_come_and_go(self):
        name, client = self.user(allow("*"))
        self.assertEqual(client("iam").get_user()["User"]["UserName"], name)
        k = self.iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["AccessKeyId"]
        self.iam.update_access_key(UserName=name, AccessKeyId=k, Status="Inactive")
        self.refused("InvalidClientTokenId", 403, client("iam").get_user)
        self.iam.update_access_key(UserName=name, AccessKeyId=k, Status="Active")
        client("iam").get_user()
        self.refused("DeleteConflict", 409, self.iam.delete_user, UserName=name)
        self.iam.delete_access_key(UserName=name, AccessKeyId=k)
        self.refused("InvalidClientTokenId", 403, client("iam").get_user)
        self.refused("UnrecognizedClientException", 403, client("lambda").list_functions)

    # --- sessions ---
    def assumable(self, *statements, by="root"):
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:{by}"}, "Action": "sts:AssumeRole"}]}
        role = self.role(trust)
        if statements:
            self.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=policy(*statements))
        return role

    def session(self, role, sts=None, **more):
        r = (sts or self.sts).assume_role(RoleArn=role["Arn"], RoleSessionName="me", **more)
        c = r["Credentials"]
        return r, lambda service: self.client(service, c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])

    def test_sessions(self):
        role = self.assumable(allow("lambda:ListFunctions"))
        r, client = self.session(role)
        self.assertEqual(r["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/{role['RoleName']}/me")
        self.assertAlmostEqual(r["Credentials"]["Expiration"].timestamp(), time.time() + 3600, delta=60)
        self.assertEqual(client("sts").get_caller_identity()["Arn"], r["AssumedRoleUser"]["Arn"])
        self.assertEqual(client("sts").get_caller_identity()["UserId"], f"{role['RoleId']}:me")
        client("lambda").list_functions()
        self.assertIn(f"User: {r['AssumedRoleUser']['Arn']} is not authorized", self.refused("AccessDeniedException", 403, client("lambda").get_account_settings))
        _, limited = self.session(role, Policy=policy(allow("lambda:Get*")))
        self.assertIn("no session policy allows", self.refused("AccessDeniedException", 403, limited("lambda").list_functions))
        _, limited = self.session(role, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess"}])
        limited("lambda").list_functions()
        self.assertNotIn("PackedPolicySize", r)
        long = lambda n: policy(allow("lambda:Get*", Resource="arn:aws:lambda:*:*:function:" + "x" * (n - len(policy(allow("lambda:Get*", Resource="arn:aws:lambda:*:*:function:"))))))
        self.assertEqual([self.session(role, Policy=long(n))[0]["PackedPolicySize"] for n in (1000, 1024, 1025, 2048)], [49, 50, 51, 100])
        self.assertIn("Packed policy consumes 101% of allotted space", self.refused("PackedPolicyTooLarge", 400, self.session, role, Policy=long(2049)))
        c = r["Credentials"]
        self.refused("UnrecognizedClientException", 403, self.client("lambda", c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"][:-8] + "AAAAAAAA").list_functions)
        self.refused("UnrecognizedClientException", 403, self.client("lambda", c["AccessKeyId"], c["SecretAccessKey"]).list_functions)
        self.refused("InvalidSignatureException", 403, self.client("lambda", c["AccessKeyId"], "x" * 40, c["SessionToken"]).list_functions)
        self.refused("ValidationError", 400, self.session, role, DurationSeconds=7200)
        self.iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="p")
        self.refused("AccessDeniedException", 403, client("lambda").list_functions)
        self.iam.delete_role(RoleName=role["RoleName"])
        self.refused("UnrecognizedClientException", 403, client("lambda").list_functions)

    def test_tags_of_a_session(self):
        """As GitHub's configure-aws-credentials, which always passes some, and EKS' pod identities: they are aws:PrincipalTag, and the transitive ones stay with who assumes the next role."""
        def trust(*actions):
            return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": list(actions)}]}

        def may(client):
            try:
                return bool(client("lambda").list_functions())
            except self.fn.exceptions.ClientError:
                return False

        tags = [{"Key": "Team", "Value": "a"}, {"Key": "Run", "Value": "1"}]
        plain = self.role(trust("sts:AssumeRole"))
        self.assertIn("not authorized to perform: sts:TagSession", self.refused("AccessDenied", 403, self.session, plain, Tags=tags))
        role = self.role(trust("sts:AssumeRole", "sts:TagSession"), Tags=[{"Key": "team", "Value": "of the role"}])
        by_tag = dict(allow("lambda:ListFunctions"), Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}})
        queues = dict(allow("sqs:*"), Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}})
        for r in (role, plain):
            self.iam.put_role_policy(RoleName=r["RoleName"], PolicyName="p", PolicyDocument=policy(by_tag, queues, allow("sts:*")))
        _, without = self.session(role)
        self.assertFalse(may(without))
        self.refused("AccessDenied", 403, without("sqs").list_queues)
        _, tagged = self.session(role, Tags=tags, TransitiveTagKeys=["team"])
        self.assertTrue(may(tagged))
        tagged("sqs").list_queues()
        # the next role: it has Team, not Run, which is set anew; and must let sessions be tagged, though no tag is asked for
        self.assertIn("sts:TagSession", self.refused("AccessDenied", 403, self.session, plain, tagged("sts")))
        _, next_one = self.session(role, tagged("sts"), Tags=[{"Key": "run", "Value": "2"}])
        self.assertTrue(may(next_one))
        self.assertTrue(may(self.session(role, next_one("sts"))[1]))
        _, not_passed = self.session(role, Tags=tags, TransitiveTagKeys=["Run"])
        self.assertFalse(may(self.session(role, not_passed("sts"))[1]))
        self.assertIn("conflicts with a transitive tag key", self.refused("InvalidParameterValue", 400, self.session, role, tagged("sts"), Tags=[{"Key": "TEAM", "Value": "b"}]))
        self.assertIn("must be included", self.refused("InvalidParameterValue", 400, self.session, role, Tags=tags, TransitiveTagKeys=["none"]))
        self.assertIn("Duplicate tag keys", self.refused("InvalidParameterValue", 400, self.session, role, Tags=[*tags, {"Key": "run", "Value": "x"}]))
        self.refused("PackedPolicyTooLarge", 400, self.session, role, Tags=[{"Key": str(i), "Value": "x" * 256} for i in range(50)])
        # a user needs leave for it, too
        _, user = self.user(allow("sts:AssumeRole"))
        self.session(role, user("sts"))
        self.assertIn("sts:TagSession", self.refused("AccessDenied", 403, self.session, role, user("sts"), Tags=tags))

    def test_trust(self):
        self.refused("AccessDenied", 403, self.session, self.role())  # lambda's alone
        self.refused("AccessDenied", 403, self.session, {"Arn": f"arn:aws:iam::{ACCOUNT}:role/nosuch"})
        for arn in ("nothing-valid-in-here", "arn::b:::something/test-role", "arn:a::::something/test-role", "arn:a:::something/test-role", "arn:a:a::aaaaaaaaaa:"):
            for sts in (None, self.user()[1]("sts")):
                self.assertEqual(self.refused("ValidationError", 400, self.session, {"Arn": arn}, sts), f"{arn} is invalid")
        name, client = self.user()
        role = self.assumable()
        self.assertIn("no identity-based policy allows the sts:AssumeRole action", self.refused("AccessDenied", 403, self.session, role, client("sts")))
        _, assumed = self.session(self.assumable(by=f"user/{name}"), client("sts"))
        self.assertIn("/me", assumed("sts").get_caller_identity()["Arn"])
        token = client("sts").get_session_token()["Credentials"]
        own = self.client("sts", token["AccessKeyId"], token["SecretAccessKey"], token["SessionToken"])
        self.assertEqual(own.get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/{name}")

    def test_trust_is_of_somebody_not_of_a_name(self):
        def user(name):
            made = self.iam.create_user(UserName=name)["User"]
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(allow("sts:AssumeRole")))
            k = self.iam.create_access_key(UserName=name)["AccessKey"]
            return made, k, self.client("sts", k["AccessKeyId"], k["SecretAccessKey"])
        name = self.name()
        made, k, sts = user(name)
        role = self.assumable(by=f"user/{name}")
        trusted = lambda: self.iam.get_role(RoleName=role["RoleName"])["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
        self.session(role, sts)
        self.assertEqual(trusted(), made["Arn"])
        self.iam.delete_access_key(UserName=name, AccessKeyId=k["AccessKeyId"])
        self.iam.delete_user_policy(UserName=name, PolicyName="p")
        self.iam.delete_user(UserName=name)
        self.assertEqual(trusted(), made["UserId"])
        again, _, sts = user(name)
        self.assertEqual(again["Arn"], made["Arn"])
        self.assertIn("not authorized to perform: sts:AssumeRole", self.refused("AccessDenied", 403, self.session, role, sts))
        self.assertEqual(trusted(), made["UserId"])
        trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": [made["Arn"], ACCOUNT]}, "Action": "sts:AssumeRole"}}
        self.iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=json.dumps(trust))
        self.session(role, sts)
        self.assertEqual(self.iam.get_role(RoleName=role["RoleName"])["Role"]["AssumeRolePolicyDocument"], trust)
        # a role, and its sessions
        middle = self.assumable(allow("sts:AssumeRole"))
        last = self.assumable(by=f"role/{middle['RoleName']}")
        self.session(last, self.session(middle)[1]("sts"))
        self.iam.delete_role_policy(RoleName=middle["RoleName"], PolicyName="p")
        self.iam.delete_role(RoleName=middle["RoleName"])
        self.iam.create_role(RoleName=middle["RoleName"], AssumeRolePolicyDocument=json.dumps({**trust, "Statement": {**trust["Statement"], "Principal": {"AWS": ACCOUNT}}}))
        self.iam.put_role_policy(RoleName=middle["RoleName"], PolicyName="p", PolicyDocument=policy(allow("sts:AssumeRole")))
        self.refused("AccessDenied", 403, self.session, last, self.session(middle)[1]("sts"))
        # who is not there
        nobody = f"arn:aws:iam::{ACCOUNT}:user/nobody-{name}"
        self.assertEqual(self.refused("MalformedPolicyDocument", 400, self.assumable, by=nobody.partition(f":{ACCOUNT}:")[2]), f'Invalid principal in policy: "AWS":"{nobody}"')
        self.assumable(by="role/that-nobody-made")  # as functions may have
        self.role({**trust, "Statement": {**trust["Statement"], "Principal": {"AWS": "arn:aws:iam::123456789012:user/other"}}})

    def test_they_outlive_a_restart(self):
        d = self.daemon({"credentials": ROOT["credentials"]})
        iam = self.client("iam", d=d)
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
        arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy(allow("lambda:*")))
        c = self.client("sts", d=d).assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
        def user():
            made = iam.create_user(UserName="u")["User"]
            iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy(allow("*")))
            return made, iam.create_access_key(UserName="u")["AccessKey"]
        old, key = user()
        trust["Statement"][0]["Principal"]["AWS"] = old["Arn"]
        of_user = iam.create_role(RoleName="of-user", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.delete_access_key(UserName="u", AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName="u", PolicyName="p")
        iam.delete_user(UserName="u")
        _, key = user()
        d.stop()
        d.start()
        self.assertEqual(self.client("iam", d=d).get_role(RoleName="of-user")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"], old["UserId"])
        self.refused("AccessDenied", 403, self.client("sts", key["AccessKeyId"], key["SecretAccessKey"], d=d).assume_role, RoleArn=of_user, RoleSessionName="me")
        self.client("lambda", c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"], d=d).list_functions()
        self.assertEqual(self.client("iam", d=d).get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"]["Statement"][0]["Action"], "lambda:*")
        self.refused("AccessDeniedException", 400, self.client("logs", c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"], d=d).describe_log_groups)
        log = d.log()
        self.assertIn("arn:aws:iam::000000000000:role/r logs:DescribeLogGroups", log, "the first refusal is in the log")
        self.assertNotIn(c["SecretAccessKey"], log)

    def test_without_credentials_everything_is_allowed(self):
        d = shared()
        iam, name = boto(d, "iam"), self.name()
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.assertEqual(boto(d, "sts").get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:root")
        iam.delete_role(RoleName=name)

    def test_the_aws_cli(self):
        env = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.d.endpoint, "AWS_PAGER": ""}
        name = self.name()

        def aws(*args):
            r = subprocess.run(["aws", "--endpoint-url", self.d.endpoint, "--output", "json", *args], env=env, capture_output=True, text=True, timeout=60)
            self.assertEqual(r.returncode, 0, r.stderr)
            return json.loads(r.stdout or "{}")
        self.assertEqual(aws("sts", "get-caller-identity")["Account"], ACCOUNT)
        arn = aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document", json.dumps(TRUST))["Role"]["Arn"]
        aws("iam", "attach-role-policy", "--role-name", name, "--policy-arn", "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
        self.assertEqual(aws("iam", "get-role", "--role-name", name)["Role"]["Arn"], arn)
        self.assertIn(name, [r["RoleName"] for r in aws("iam", "list-roles")["Roles"]])

    # --- by every way in ---
    def by_url(self, host, key, secret, token=None):
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        request = AWSRequest("GET", f"http://{host}/")
        SigV4Auth(Credentials(key, secret, token), "lambda", "us-east-1").add_auth(request)
        c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        c.request("GET", "/", headers={**dict(request.headers), "Host": host})
        r = c.getresponse()
        try:
            return r.status, r.read()
        finally:
            c.close()

    def test_urls_of_aws_iam(self):
        f = self.name()
        self.fn.create_function(FunctionName=f, Timeout=30, Runtime=PYTHON, Handler="f.handler", Role=f"arn:aws:iam::{ACCOUNT}:role/any", Code={"ZipFile": make_zip({
            "f.py": "def handler(event, context):\n    return event['requestContext']['authorizer']['iam']\n"})})
        self.addCleanup(lambda: self.fn.delete_function(FunctionName=f))
        self.fn.get_waiter("function_active_v2").wait(FunctionName=f)
        host = self.fn.create_function_url_config(FunctionName=f, AuthType="AWS_IAM")["FunctionUrl"].split("/")[2]
        status, body = self.by_url(host, KEY, SECRET)
        self.assertEqual((status, json.loads(body)["userArn"]), (200, f"arn:aws:iam::{ACCOUNT}:root"))
        name = self.name()
        user = self.iam.create_user(UserName=name)["User"]
        k = self.iam.create_access_key(UserName=name)["AccessKey"]
        ask = lambda *token: self.by_url(host, k["AccessKeyId"], k["SecretAccessKey"])
        self.assertEqual(ask()[0], 403)
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(allow("lambda:InvokeFunctionUrl", Condition={"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}})))
        self.assertEqual(ask()[0], 403, "since October 2025 lambda:InvokeFunction is needed, too")
        self.iam.put_user_policy(UserName=name, PolicyName="q", PolicyDocument=policy(allow("lambda:InvokeFunction", Condition={"Bool": {"lambda:InvokedViaFunctionUrl": "true"}})))
        status, body = ask()
        self.assertEqual((status, json.loads(body)["userArn"], json.loads(body)["userId"]), (200, user["Arn"], user["UserId"]))
        self.refused("AccessDeniedException", 403, self.client("lambda", k["AccessKeyId"], k["SecretAccessKey"]).invoke, FunctionName=f)  # by its URL alone
        role = self.assumable(allow(["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]))
        r, _ = self.session(role)
        c = r["Credentials"]
        status, body = self.by_url(host, c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
        self.assertEqual((status, json.loads(body)["userArn"]), (200, r["AssumedRoleUser"]["Arn"]))
        self.assertEqual(self.by_url(host, c["AccessKeyId"], c["SecretAccessKey"])[0], 403)
        self.iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="p")
        self.assertEqual(self.by_url(host, c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])[0], 403)
        self.fn.add_permission(FunctionName=f, StatementId="s", Action="lambda:*", Principal=role["Arn"])
        self.assertEqual(self.by_url(host, c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])[0], 200)
        self.iam.update_access_key(UserName=name, AccessKeyId=k["AccessKeyId"], Status="Inactive")
        self.assertEqual(ask()[0], 403)

    def test_from_within_a_sandbox(self):
        role, f = self.role(), self.name()
        source = """import json, os, urllib.error, urllib.request
def handler(event, context):
    try:
        with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL_LAMBDA"] + event["path"]) as r:
            return [r.status, ""]
    except urllib.error.HTTPError as e:
        return [e.code, json.loads(e.read())["message"]]
"""
        self.fn.create_function(FunctionName=f, Timeout=30, Runtime=PYTHON, Handler="f.handler", Role=role["Arn"], Code={"ZipFile": make_zip({"f.py": source})})
        self.addCleanup(lambda: self.fn.delete_function(FunctionName=f))
        self.fn.get_waiter("function_active_v2").wait(FunctionName=f)
        ask = lambda path: json.loads(self.fn.invoke(FunctionName=f, Payload=json.dumps({"path": path}))["Payload"].read())
        own = f"/2015-03-31/functions/{f}"
        self.assertEqual(ask(own), [403, f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{role['RoleName']}/{f} is not authorized to perform: lambda:GetFunction on resource: "
                                    f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{f} because no identity-based policy allows the lambda:GetFunction action"])
        self.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=policy(allow("lambda:GetFunction", f"arn:aws:lambda:*:*:function:{f}")))
        self.assertEqual(ask(own), [200, ""])
        self.assertEqual(ask("/2015-03-31/functions/other")[0], 403)
        self.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="q", PolicyDocument=policy({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {
            "ArnLike": {"lambda:SourceFunctionArn": f"arn:aws:lambda:*:*:function:{f}"}}}))
        self.assertIn("with an explicit deny in an identity-based policy", ask(own)[1])

    def test_queues_and_their_policies(self):
        sqs, name = self.client("sqs"), self.name()
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        self.addCleanup(lambda: sqs.delete_queue(QueueUrl=url))
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        user, client = self.user()
        send = lambda: client("sqs").send_message(QueueUrl=url, MessageBody="m")
        statement = lambda effect, principal, **more: {"Effect": effect, "Principal": principal, "Action": "sqs:*", "Resource": arn, **more}
        put = lambda *statements: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(*statements)})
        denied = lambda: self.assertIn("not authorized to perform: sqs:SendMessage", self.refused("AccessDenied", 403, send))
        denied()
        put(statement("Allow", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{user}"}))
        send()
        self.assertEqual([m["Attributes"]["SenderId"] for m in sqs.receive_message(QueueUrl=url, AttributeNames=["SenderId"])["Messages"]], [self.iam.get_user(UserName=user)["User"]["UserId"]])
        self.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=policy({"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": arn}))
        denied()
        self.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=policy(allow("sqs:SendMessage", arn)))
        put(statement("Allow", {"Service": "sns.amazonaws.com"}))
        send()
        put(statement("Deny", "*"))
        denied()
        sqs.send_message(QueueUrl=url, MessageBody="root's")
        self.refused("InvalidAttributeValue", 400, put, statement("Allow", "*", Condition={"StringIs": {"aws:username": "u"}}))

    def test_instance_profiles(self):
        """Deploy tools make one beside a role, and take it away again."""
        iam, name, role = self.iam, self.name(), self.role()["RoleName"]
        self.assertIn("cannot be found", self.refused("NoSuchEntity", 404, iam.get_instance_profile, InstanceProfileName=name))
        made = iam.create_instance_profile(InstanceProfileName=name, Path="/a/")["InstanceProfile"]
        self.assertEqual((made["Arn"], made["Roles"], made["InstanceProfileId"][:4]), (f"arn:aws:iam::{ACCOUNT}:instance-profile/a/{name}", [], "AIPA"))
        self.refused("EntityAlreadyExists", 409, iam.create_instance_profile, InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
        self.refused("LimitExceeded", 409, iam.add_role_to_instance_profile, InstanceProfileName=name, RoleName=role)
        got = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        self.assertEqual([r["RoleName"] for r in got["Roles"]], [role])
        self.assertEqual(got["Roles"][0]["AssumeRolePolicyDocument"], TRUST)
        self.assertEqual([p["InstanceProfileName"] for p in iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]], [name])
        self.assertEqual([p["InstanceProfileName"] for p in iam.list_instance_profiles(PathPrefix="/a/")["InstanceProfiles"]], [name])
        self.refused("DeleteConflict", 409, iam.delete_role, RoleName=role)
        self.refused("DeleteConflict", 409, iam.delete_instance_profile, InstanceProfileName=name)
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
        self.refused("NoSuchEntity", 404, iam.remove_role_from_instance_profile, InstanceProfileName=name, RoleName=role)
        iam.delete_instance_profile(InstanceProfileName=name)
        iam.delete_role(RoleName=role)
        self.assertEqual(iam.list_instance_profiles()["InstanceProfiles"], [])

    def test_all_that_is_named_is_judged(self):
        """Not the first alone: groups that are read together, the queue that messages are moved to."""
        logs, arns = self.client("logs"), []
        for group in (self.name(), self.name()):
            logs.create_log_group(logGroupName=group)
            self.addCleanup(logs.delete_log_group, logGroupName=group)
            arns.append(f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}")
        def asks(service, target, version, *statements):
            """What a user with these policies asks; of boto3 the newest has these members."""
            name = self.user(*statements)[0]
            key = self.iam.create_access_key(UserName=name)["AccessKey"]
            return name, lambda **members: self.signed(key, service, "POST", "/", json.dumps(members), {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-" + version})
        describe = asks("logs", "Logs_20140328.DescribeLogGroups", "1.1", allow("logs:*", arns[0] + ":*"))[1]
        self.assertEqual(len(describe(logGroupIdentifiers=arns[:1]).json["logGroups"]), 1)
        r = describe(logGroupIdentifiers=arns)
        self.assertEqual(r.status, 400, r)
        self.assertIn(arns[1], r.body.decode())
        r = describe(logGroupName=arns[0].split(":")[-1], logGroupIdentifiers=arns[1:])
        self.assertEqual(r.status, 400, "what the operation has no member for hides nothing")
        self.assertIn(arns[1], r.body.decode())
        sqs, queues = self.client("sqs"), []
        for name in ("dead", "source", "other"):
            url = sqs.create_queue(QueueName=f"{self.name()}-{name}"[-80:])["QueueUrl"]
            self.addCleanup(sqs.delete_queue, QueueUrl=url)
            queues.append((url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]))
        (_, dead), (source, _), (other_url, other) = queues
        sqs.set_queue_attributes(QueueUrl=source, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 1})})
        user, move = asks("sqs", "AmazonSQS.StartMessageMoveTask", "1.0", allow("sqs:*", dead))
        self.assertEqual(move(SourceArn=dead, DestinationArn=other).status, 403)
        self.iam.put_user_policy(UserName=user, PolicyName="q", PolicyDocument=policy(allow("sqs:SendMessage", other)))
        self.assertIn("TaskHandle", move(SourceArn=dead, DestinationArn=other).json)
        move = asks("sqs", "AmazonSQS.StartMessageMoveTask", "1.0", allow("sqs:*", other))[1]
        self.assertEqual(move(SourceArn=dead, DestinationArn=other, QueueUrl=other_url).status, 403)

    def test_what_fn_events_serves_of_fnd_s_own_is_judged(self):
        name = self.user()[0]
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        f = self.function()
        for method, path, action in (("GET", "/_fnd/async", "Async"), ("GET", f"/_fnd/async/{f}", "AsyncList"), ("POST", f"/_fnd/async/{f}/purge", "AsyncPurge"),
                                     ("POST", f"/_fnd/async/{f}/replay", "AsyncReplay"), ("GET", "/_fnd/events", "Events"), ("GET", "/_fnd/mappings", "Mappings")):
            r = self.signed(key, "lambda", method, path)
            self.assertEqual(r.status, 403, r)
            self.assertIn(f"not authorized to perform: fnd:{action} ", r.body.decode())
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(allow("fnd:Async")))
        self.assertEqual(self.signed(key, "lambda", "GET", "/_fnd/async").status, 200)

    def test_a_key_without_a_name_is_ones_own(self):
        other = self.user()[0]
        theirs = self.iam.list_access_keys(UserName=other)["AccessKeyMetadata"][0]["AccessKeyId"]
        name, client = self.user()
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(allow("iam:*AccessKey*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")))
        iam = client("iam")
        own = iam.create_access_key()["AccessKey"]["AccessKeyId"]
        self.refused("NoSuchEntity", 404, iam.update_access_key, AccessKeyId=theirs, Status="Inactive")
        self.refused("NoSuchEntity", 404, iam.delete_access_key, AccessKeyId=theirs)
        iam.update_access_key(AccessKeyId=own, Status="Inactive")
        iam.delete_access_key(AccessKeyId=own)
        _, session = self.session(self.assumable(allow("iam:*")))
        self.refused("ValidationError", 400, session("iam").delete_access_key, AccessKeyId=theirs)
        self.assertEqual([k["Status"] for k in self.iam.list_access_keys(UserName=other)["AccessKeyMetadata"]], ["Active"])
        self.iam.delete_access_key(AccessKeyId=theirs)  # root's may be anybody's

    # --- unmodified deploy tools ---
    def test_chalice(self):
        site = pypi.install("chalice==1.32.0", "botocore==1.44.8", "click==8.5.1", "inquirer==3.4.1", "blessed==1.52.0", "jinxed==2.1.0", "editor==2.0.1", "xmod==1.10.0", "runs==1.3.0", "readchar==4.2.2", "wcwidth==0.9.4",
                            "jmespath==1.1.0", "packaging==26.4", "python-dateutil==2.9.0.post0", "pyyaml==6.0.4", "setuptools==84.2.1", "six==1.17.0", "urllib3==2.8.0")
        with tempfile.TemporaryDirectory() as app:
            os.mkdir(os.path.join(app, ".chalice"))
            for name, text in ((".chalice/config.json", json.dumps({"version": "2.0", "app_name": "capp", "stages": {"dev": {"autogen_policy": True}}})), ("requirements.txt", ""),
                               ("app.py", "from chalice import Chalice\napp = Chalice(app_name='capp')\n\n@app.lambda_function(name='hi')\ndef hi(event, context):\n    return {'hello': event.get('name')}\n")):
                with open(os.path.join(app, name), "w") as f:
                    f.write(text)
            env = {**os.environ, "PYTHONPATH": site, "AWS_ENDPOINT_URL": self.d.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}

            def chalice(*args, stdin=""):
                r = subprocess.run(["/usr/bin/python3", "-c", "from chalice.cli import main; main()", *args], cwd=app, env=env, capture_output=True, text=True, timeout=300, input=stdin)
                self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
                return r.stdout
            self.assertIn("Creating IAM role: capp-dev", chalice("deploy"))
            self.assertEqual(json.loads(chalice("invoke", "-n", "hi", stdin='{"name": "x"}')), {"hello": "x"})
            self.assertIn("Updating policy for IAM role: capp-dev", chalice("deploy"))
            self.assertIn("Deleting IAM role: capp-dev", chalice("delete"))

    # --- what there is ---
    def test_what_works_is_told_as_the_model_has_it(self):
        with open(os.path.join(TOP, "lib/aws/lambda.h")) as f:
            text = f.read()
        for api, prefix in (("iam", "Iam"), ("sts", "Sts"), ("sqs", "Sqs")):
            told = {o["Name"]: o for o in self.raw(f"/_fnd/doctor?api={api}")["Operations"]}
            self.assertEqual(sorted(told), sorted(re.findall(rf"\tFN_AWS_{prefix}_(\w+),", text)), api)
            client = self.client(api)
            self.assertLessEqual(set(client.meta.method_to_api_mapping.values()), set(told), "what Debian's botocore knows is there")
            for o in told.values():
                if not o["Works"]:
                    self.assertEqual(o["Reason"], f"fnd does not implement {o['Name']} yet")
        self.assertEqual({o["Name"] for o in self.raw("/_fnd/doctor?api=sts")["Operations"] if o["Works"]}, {"AssumeRole", "GetAccessKeyInfo", "GetCallerIdentity", "GetSessionToken"})
        self.assertIn("does not implement CreateGroup", self.refused("NotImplementedException", 501, self.iam.create_group, GroupName="g"))

    def raw(self, path):
        return shared().request("GET", path).json
