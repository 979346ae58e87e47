/* Policies of IAM, requests, and what is decided: a row each. A document's statements are written with ' for ", and ` for what is to be a '. */
#include "aws/evaluate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "aws/managed.h"
#include "aws/resource_policy.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "unit/main.h"

#define FN "arn:aws:lambda:us-east-1:123456789012:function:f"
#define Q "arn:aws:sqs:us-east-1:123456789012:q"
#define ROLE "arn:aws:iam::123456789012:role/r"
#define USER "arn:aws:iam::123456789012:user/u"
#define SESSION "arn:aws:sts::123456789012:assumed-role/r/s"
#define ALLOW_ALL "{'Effect':'Allow','Action':'*','Resource':'*'}"
#define INVOKE "lambda:InvokeFunction"
#define A(action, resource) "{'Effect':'Allow','Action':" action ",'Resource':" resource "}"
#define D(action, resource) "{'Effect':'Deny','Action':" action ",'Resource':" resource "}"
#define C(condition) "{'Effect':'Allow','Action':'*','Resource':'*','Condition':" condition "}"
#define R(principal) "{'Effect':'Allow','Principal':" principal ",'Action':'lambda:InvokeFunction','Resource':'" FN "'}"
#define RC(principal, condition) "{'Effect':'Allow','Principal':" principal ",'Action':'*','Resource':'*','Condition':" condition "}"
#define T(principal) "{'Effect':'Allow','Principal':" principal ",'Action':'sts:AssumeRole'}"

enum who { U, S, ROOT, SVC, ANON, OTHER };

struct row {
	const char *identity, *resource, *session, *boundary; /* NULL = none */
	enum who who;
	const char *action, *arn, *context; /* NULL: INVOKE, FN, nothing; context: "key=value;key=value" */
	const char *expected;               /* "allow", or what of which kind; or how a document is malformed */
	bool must;                          /* the resource's policy must allow it, too: it is a trust policy */
};

static const struct fn_iam_principal people[] = {
	[U] = {FN_IAM_USER, USER, USER, "123456789012", "AIDAU"},
	[S] = {FN_IAM_SESSION, SESSION, ROLE, "123456789012", "AROAR"},
	[ROOT] = {FN_IAM_ROOT, "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root", "123456789012", NULL},
	[SVC] = {FN_IAM_SERVICE, "s3.amazonaws.com", "s3.amazonaws.com", "", NULL},
	[ANON] = {FN_IAM_ANONYMOUS, "", "", "", NULL},
	[OTHER] = {FN_IAM_USER, "arn:aws:iam::210987654321:user/u", "arn:aws:iam::210987654321:user/u", "210987654321", NULL},
};

static const struct row identity_rows[] = {
	{.expected = "no identity"},
	{ALLOW_ALL, .expected = "allow"},
	{ALLOW_ALL, .who = S, .expected = "allow"},
	{A("'lambda:InvokeFunction'", "'*'"), .expected = "allow"},
	{A("'LAMBDA:invokefunction'", "'*'"), .expected = "allow"}, /* actions have no case */
	{A("'lambda:Invoke*'", "'*'"), .expected = "allow"},
	{A("'lambda:*'", "'*'"), .expected = "allow"},
	{A("'lam*:Invoke*'", "'*'"), .expected = "allow"},
	{A("'lambda:InvokeFunctio?'", "'*'"), .expected = "allow"},
	{A("'lambda:InvokeFunction?'", "'*'"), .expected = "no identity"},
	{A("'lambda:Get*'", "'*'"), .expected = "no identity"},
	{A("'sqs:*'", "'*'"), .expected = "no identity"},
	{A("['sqs:*','lambda:InvokeFunction']", "'*'"), .expected = "allow"},
	{A("'*:InvokeFunction'", "'*'"), .expected = "allow"},
	{A("'*'", "'" FN "'"), .expected = "allow"},
	{A("'*'", "'" FN "x'"), .expected = "no identity"},
	{A("'*'", "'" FN "*'"), .expected = "allow"},
	{A("'*'", "'" FN ":*'"), .expected = "no identity"}, /* the unqualified one is not meant */
	{A("'*'", "'" FN ":*'"), .arn = FN ":prod", .expected = "allow"},
	{A("'*'", "'" FN "'"), .arn = FN ":prod", .expected = "no identity"},
	{A("'*'", "['" Q "','" FN "']"), .expected = "allow"},
	{A("'*'", "'arn:aws:lambda:*:*:function:f'"), .expected = "allow"},
	{A("'*'", "'arn:aws:lambda:us-east-?:123456789012:function:?'"), .expected = "allow"},
	{A("'*'", "'arn:aws:lambda:eu-*:*:function:f'"), .expected = "no identity"},
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:F'"), .expected = "no identity"}, /* resources have */
	{A("'*'", "'arn:aws:lambda*'"), .expected = "allow"},
	{A("'sqs:SendMessage'", "'" Q "'"), .action = "sqs:SendMessage", .arn = Q, .expected = "allow"},
	{A("'sqs:SendMessage'", "'" Q "'"), .action = "sqs:SendMessage", .arn = Q "2", .expected = "no identity"},
	{A("'lambda:ListFunctions'", "'*'"), .action = "lambda:ListFunctions", .arn = "*", .expected = "allow"},
	{A("'lambda:ListFunctions'", "'" FN "'"), .action = "lambda:ListFunctions", .arn = "*", .expected = "no identity"}, /* it is about none */
	/* not */
	{"{'Effect':'Allow','NotAction':'iam:*','Resource':'*'}", .expected = "allow"},
	{"{'Effect':'Allow','NotAction':['iam:*','lambda:Invoke*'],'Resource':'*'}", .expected = "no identity"},
	{"{'Effect':'Allow','NotAction':'iam:*','Resource':'*'}", .action = "iam:CreateRole", .expected = "no identity"},
	{"{'Effect':'Allow','Action':'*','NotResource':'" FN "'}", .expected = "no identity"},
	{"{'Effect':'Allow','Action':'*','NotResource':'" FN "'}", .arn = FN "2", .expected = "allow"},
	{"{'Effect':'Allow','Action':'*','NotResource':['" Q "','arn:aws:s3:::*']}", .expected = "allow"},
	{ALLOW_ALL ",{'Effect':'Deny','NotAction':'lambda:*','Resource':'*'}", .expected = "allow"},
	{ALLOW_ALL ",{'Effect':'Deny','NotAction':'lambda:*','Resource':'*'}", .action = "sqs:SendMessage", .expected = "deny identity"},
	{ALLOW_ALL ",{'Effect':'Deny','Action':'*','NotResource':'" FN "'}", .expected = "allow"},
	{ALLOW_ALL ",{'Effect':'Deny','Action':'*','NotResource':'" FN "'}", .arn = FN ":1", .expected = "deny identity"},
	/* a denial wins, wherever it stands */
	{ALLOW_ALL "," D("'lambda:InvokeFunction'", "'*'"), .expected = "deny identity"},
	{D("'lambda:InvokeFunction'", "'*'") "," ALLOW_ALL, .expected = "deny identity"},
	{ALLOW_ALL "," D("'lambda:Delete*'", "'*'"), .expected = "allow"},
	{ALLOW_ALL "," D("'*'", "'" FN ":*'"), .expected = "allow"},
	{ALLOW_ALL "," D("'*'", "'" FN ":*'"), .arn = FN ":1", .expected = "deny identity"},
	{D("'*'", "'*'"), .expected = "deny identity"},
	/* variables */
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${aws:username}'"), .context = "aws:username=f", .expected = "allow"},
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${aws:username}'"), .context = "aws:username=g", .expected = "no identity"},
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${aws:username}'"), .expected = "no identity"},
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${aws:username}'"), .context = "aws:username=*", .expected = "no identity"}, /* it is no pattern */
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${aws:username, `f`}'"), .expected = "allow"},
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${aws:PrincipalTag/Team}*'"), .context = "aws:principaltag/Team=f", .expected = "allow"},
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${*}'"), .expected = "no identity"},
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${?}'"), .arn = "arn:aws:lambda:us-east-1:123456789012:function:?", .expected = "allow"},
	{A("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:a${$}b'"), .arn = "arn:aws:lambda:us-east-1:123456789012:function:a$b", .expected = "allow"},
	{ALLOW_ALL "," D("'*'", "'arn:aws:lambda:us-east-1:123456789012:function:${aws:username}'"), .context = "aws:username=f", .expected = "deny identity"},
};

static const struct row condition_rows[] = {
	{C("{'StringEquals':{'aws:username':'u'}}"), .context = "aws:username=u", .expected = "allow"},
	{C("{'StringEquals':{'AWS:UserName':'u'}}"), .context = "aws:username=u", .expected = "allow"}, /* keys have no case */
	{C("{'StringEquals':{'aws:username':'U'}}"), .context = "aws:username=u", .expected = "no identity"},
	{C("{'StringEquals':{'aws:username':['v','u']}}"), .context = "aws:username=u", .expected = "allow"},
	{C("{'StringEquals':{'aws:username':'*'}}"), .context = "aws:username=u", .expected = "no identity"}, /* no pattern */
	{C("{'StringEquals':{'aws:username':'u'}}"), .expected = "no identity"},
	{C("{'StringEqualsIfExists':{'aws:username':'u'}}"), .expected = "allow"},
	{C("{'StringEqualsIfExists':{'aws:username':'u'}}"), .context = "aws:username=v", .expected = "no identity"},
	{C("{'StringNotEquals':{'aws:username':'u'}}"), .context = "aws:username=v", .expected = "allow"},
	{C("{'StringNotEquals':{'aws:username':'u'}}"), .context = "aws:username=u", .expected = "no identity"},
	{C("{'StringNotEquals':{'aws:username':['v','u']}}"), .context = "aws:username=u", .expected = "no identity"}, /* none of them */
	{C("{'StringNotEquals':{'aws:username':'u'}}"), .expected = "allow"},
	{C("{'StringEqualsIgnoreCase':{'aws:username':'U'}}"), .context = "aws:username=u", .expected = "allow"},
	{C("{'StringNotEqualsIgnoreCase':{'aws:username':'U'}}"), .context = "aws:username=u", .expected = "no identity"},
	{C("{'StringLike':{'aws:username':'u*'}}"), .context = "aws:username=uv", .expected = "allow"},
	{C("{'StringLike':{'aws:username':'u?'}}"), .context = "aws:username=u", .expected = "no identity"},
	{C("{'StringNotLike':{'aws:username':'u*'}}"), .context = "aws:username=uv", .expected = "no identity"},
	{C("{'StringLike':{'aws:username':'${aws:userid}'}}"), .context = "aws:username=u;aws:userid=u", .expected = "allow"},
	{C("{'StringEquals':{'aws:username':'${aws:userid}'}}"), .context = "aws:username=u;aws:userid=v", .expected = "no identity"},
	{C("{'StringEquals':{'aws:PrincipalTag/Team':'x'}}"), .context = "aws:principaltag/Team=x", .expected = "allow"},
	/* all of a block, one of a key's values */
	{C("{'StringEquals':{'aws:username':'u','aws:userid':'i'}}"), .context = "aws:username=u;aws:userid=i", .expected = "allow"},
	{C("{'StringEquals':{'aws:username':'u','aws:userid':'i'}}"), .context = "aws:username=u", .expected = "no identity"},
	{C("{'StringEquals':{'aws:username':'u'},'Bool':{'aws:SecureTransport':'true'}}"), .context = "aws:username=u;aws:securetransport=false", .expected = "no identity"},
	/* ARNs: part by part */
	{C("{'ArnLike':{'aws:SourceArn':'arn:aws:s3:::b*'}}"), .context = "aws:sourcearn=arn:aws:s3:::bucket", .expected = "allow"},
	{C("{'ArnEquals':{'aws:SourceArn':'arn:aws:s3:::b*'}}"), .context = "aws:sourcearn=arn:aws:s3:::bucket", .expected = "allow"},
	{C("{'ArnLike':{'aws:SourceArn':'arn:aws:sns:*:1:t'}}"), .context = "aws:sourcearn=arn:aws:sns:us-east-1:2:1:t", .expected = "no identity"}, /* '*' is within its part */
	{C("{'StringLike':{'aws:SourceArn':'arn:aws:sns:*:1:t'}}"), .context = "aws:sourcearn=arn:aws:sns:us-east-1:2:1:t", .expected = "allow"},
	{C("{'ArnLike':{'aws:SourceArn':'arn:aws:execute-api:us-east-1:123456789012:abc/*/GET/*'}}"), .context = "aws:sourcearn=arn:aws:execute-api:us-east-1:123456789012:abc/prod/GET/x/y", .expected = "allow"},
	{C("{'ArnLike':{'aws:SourceArn':'arn:aws:s3:::b'}}"), .context = "aws:sourcearn=bucket", .expected = "no identity"},
	{C("{'ArnLike':{'aws:SourceArn':'*'}}"), .context = "aws:sourcearn=arn:aws:s3:::bucket", .expected = "allow"},
	{C("{'ArnNotLike':{'aws:SourceArn':'arn:aws:s3:::b*'}}"), .context = "aws:sourcearn=arn:aws:s3:::bucket", .expected = "no identity"},
	{C("{'ArnNotEquals':{'aws:SourceArn':'arn:aws:s3:::c'}}"), .context = "aws:sourcearn=arn:aws:s3:::bucket", .expected = "allow"},
	{C("{'ArnLikeIfExists':{'aws:SourceArn':'arn:aws:s3:::b'}}"), .expected = "allow"},
	/* numbers, dates */
	{C("{'NumericLessThan':{'aws:MultiFactorAuthAge':'3600'}}"), .context = "aws:multifactorauthage=10", .expected = "allow"},
	{C("{'NumericLessThan':{'aws:MultiFactorAuthAge':3600}}"), .context = "aws:multifactorauthage=3600", .expected = "no identity"},
	{C("{'NumericLessThanEquals':{'aws:MultiFactorAuthAge':3600}}"), .context = "aws:multifactorauthage=3600", .expected = "allow"},
	{C("{'NumericGreaterThan':{'aws:MultiFactorAuthAge':9}}"), .context = "aws:multifactorauthage=10", .expected = "allow"}, /* as numbers, not as text */
	{C("{'NumericGreaterThanEquals':{'aws:MultiFactorAuthAge':10.5}}"), .context = "aws:multifactorauthage=10", .expected = "no identity"},
	{C("{'NumericEquals':{'aws:MultiFactorAuthAge':'10.0'}}"), .context = "aws:multifactorauthage=10", .expected = "allow"},
	{C("{'NumericNotEquals':{'aws:MultiFactorAuthAge':10}}"), .context = "aws:multifactorauthage=10", .expected = "no identity"},
	{C("{'NumericLessThan':{'aws:MultiFactorAuthAge':3600}}"), .context = "aws:multifactorauthage=soon", .expected = "no identity"},
	{C("{'DateGreaterThan':{'aws:CurrentTime':'2020-04-01T00:00:00Z'}}"), .context = "aws:currenttime=2026-01-01T00:00:00Z", .expected = "allow"},
	{C("{'DateLessThan':{'aws:CurrentTime':'2020-06-30T23:59:59Z'}}"), .context = "aws:currenttime=2026-01-01T00:00:00Z", .expected = "no identity"},
	{C("{'DateGreaterThan':{'aws:CurrentTime':'2020-04-01T00:00:00+02:00'}}"), .context = "aws:currenttime=2020-03-31T22:30:00Z", .expected = "allow"},
	{C("{'DateLessThanEquals':{'aws:EpochTime':'1700000000'}}"), .context = "aws:epochtime=1700000000", .expected = "allow"},
	{C("{'DateEquals':{'aws:CurrentTime':'2023-11-14T22:13:20Z'}}"), .context = "aws:currenttime=1700000000", .expected = "allow"},
	{C("{'DateNotEquals':{'aws:CurrentTime':'2023-11-14'}}"), .context = "aws:currenttime=2023-11-14T00:00:00Z", .expected = "no identity"},
	{C("{'DateGreaterThanEquals':{'aws:TokenIssueTime':'2023-11-14'}}"), .expected = "no identity"},
	/* addresses, truth, absence */
	{C("{'IpAddress':{'aws:SourceIp':'203.0.113.0/24'}}"), .context = "aws:sourceip=203.0.113.77", .expected = "allow"},
	{C("{'IpAddress':{'aws:SourceIp':'203.0.113.0/25'}}"), .context = "aws:sourceip=203.0.113.177", .expected = "no identity"},
	{C("{'IpAddress':{'aws:SourceIp':['10.0.0.0/8','2001:db8::/32']}}"), .context = "aws:sourceip=2001:db8:1::1", .expected = "allow"},
	{C("{'IpAddress':{'aws:SourceIp':'127.0.0.1'}}"), .context = "aws:sourceip=::ffff:127.0.0.1", .expected = "allow"},
	{C("{'NotIpAddress':{'aws:SourceIp':'203.0.113.0/24'}}"), .context = "aws:sourceip=203.0.113.77", .expected = "no identity"},
	{C("{'NotIpAddress':{'aws:SourceIp':'203.0.113.0/24'}}"), .context = "aws:sourceip=198.51.100.1", .expected = "allow"},
	{C("{'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}}"), .context = "aws:sourceip=1.2.3.4", .expected = "allow"},
	{C("{'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}}"), .context = "aws:sourceip=::1", .expected = "no identity"},
	{C("{'Bool':{'aws:SecureTransport':'true'}}"), .context = "aws:securetransport=true", .expected = "allow"},
	{C("{'Bool':{'aws:SecureTransport':true}}"), .context = "aws:securetransport=false", .expected = "no identity"},
	{C("{'Bool':{'aws:MultiFactorAuthPresent':'false'}}"), .expected = "no identity"},
	{C("{'BoolIfExists':{'aws:MultiFactorAuthPresent':'false'}}"), .expected = "allow"},
	{ALLOW_ALL ",{'Effect':'Deny','Action':'*','Resource':'*','Condition':{'BoolIfExists':{'aws:MultiFactorAuthPresent':'false'}}}", .expected = "deny identity"},
	{ALLOW_ALL ",{'Effect':'Deny','Action':'*','Resource':'*','Condition':{'Bool':{'aws:SecureTransport':'false'}}}", .context = "aws:securetransport=true", .expected = "allow"},
	{C("{'Null':{'aws:TokenIssueTime':'true'}}"), .expected = "allow"},
	{C("{'Null':{'aws:TokenIssueTime':'false'}}"), .expected = "no identity"},
	{C("{'Null':{'aws:TokenIssueTime':false}}"), .context = "aws:tokenissuetime=2023-11-14T00:00:00Z", .expected = "allow"},
	{C("{'BinaryEquals':{'aws:userid':'QUJD'}}"), .context = "aws:userid=QUJD", .expected = "allow"},
	/* several values of a key */
	{C("{'ForAnyValue:StringEquals':{'aws:CalledVia':'a'}}"), .context = "aws:calledvia=b;aws:calledvia=a", .expected = "allow"},
	{C("{'ForAnyValue:StringEquals':{'aws:CalledVia':'a'}}"), .context = "aws:calledvia=b", .expected = "no identity"},
	{C("{'ForAnyValue:StringEquals':{'aws:CalledVia':'a'}}"), .expected = "no identity"},
	{C("{'ForAllValues:StringEquals':{'aws:CalledVia':['a','b']}}"), .context = "aws:calledvia=b;aws:calledvia=a", .expected = "allow"},
	{C("{'ForAllValues:StringEquals':{'aws:CalledVia':['a','b']}}"), .context = "aws:calledvia=b;aws:calledvia=c", .expected = "no identity"},
	{C("{'ForAllValues:StringEquals':{'aws:CalledVia':'a'}}"), .expected = "allow"}, /* of nothing all are */
	{C("{'ForAllValues:StringNotEquals':{'aws:CalledVia':'a'}}"), .context = "aws:calledvia=b;aws:calledvia=a", .expected = "no identity"},
	{C("{'ForAnyValue:StringNotEquals':{'aws:CalledVia':'a'}}"), .context = "aws:calledvia=b;aws:calledvia=a", .expected = "allow"},
	{C("{'ForAnyValue:StringNotEquals':{'aws:CalledVia':'a'}}"), .expected = "no identity"},
	{C("{'ForAllValues:StringLike':{'lambda:Layer':'arn:aws:lambda:*:123456789012:layer:*:*'}}"), .context = "lambda:layer=arn:aws:lambda:us-east-1:123456789012:layer:a:1", .expected = "allow"},
	{C("{'ForAnyValue:StringLike':{'lambda:Layer':'arn:aws:lambda:*:9*'}}"), .context = "lambda:layer=arn:aws:lambda:us-east-1:123456789012:layer:a:1", .expected = "no identity"},
	{C("{'StringEquals':{'lambda:FunctionUrlAuthType':'AWS_IAM'}}"), .context = "lambda:functionurlauthtype=AWS_IAM", .expected = "allow"},
	{C("{'StringEquals':{'iam:PassedToService':'lambda.amazonaws.com'}}"), .action = "iam:PassRole", .arn = ROLE, .context = "iam:passedtoservice=lambda.amazonaws.com", .expected = "allow"},
	{C("{'StringEquals':{'iam:PassedToService':'ec2.amazonaws.com'}}"), .action = "iam:PassRole", .arn = ROLE, .context = "iam:passedtoservice=lambda.amazonaws.com", .expected = "no identity"},
	{A("'s3:GetObject'", "'*'") ",{'Effect':'Allow','Action':'s3:*','Resource':'*','Condition':{'StringEquals':{'s3:prefix':'x'}}}", .expected = "no identity"}, /* another's keys are its own */
};

static const struct row resource_rows[] = {
	{.resource = R("'*'"), .who = ANON, .expected = "allow"},
	{.resource = R("{'AWS':'*'}"), .who = ANON, .expected = "allow"},
	{.resource = R("'*'"), .who = SVC, .expected = "allow"},
	{.resource = R("'*'"), .expected = "allow"},
	{.resource = R("{'AWS':'" USER "'}"), .expected = "allow"},
	{.resource = R("{'AWS':['" ROLE "','" USER "']}"), .expected = "allow"},
	{.resource = R("{'AWS':'" USER "'}"), .who = S, .expected = "no identity"},
	{.resource = R("{'AWS':'" ROLE "'}"), .who = S, .expected = "allow"},
	{.resource = R("{'AWS':'" SESSION "'}"), .who = S, .expected = "allow"},
	{.resource = R("{'AWS':'" SESSION "x'}"), .who = S, .expected = "no identity"},
	{.resource = R("{'AWS':'123456789012'}"), .expected = "no identity"}, /* the account hands on: it is for the identity's policies */
	{.resource = R("{'AWS':'arn:aws:iam::123456789012:root'}"), .expected = "no identity"},
	{A("'lambda:*'", "'*'"), R("{'AWS':'arn:aws:iam::123456789012:root'}"), .expected = "allow"},
	{.resource = R("{'AWS':'123456789012'}"), .who = ROOT, .expected = "allow"},
	{.resource = R("{'AWS':'210987654321'}"), .expected = "no identity"},
	{.resource = R("{'AWS':'123456789012'}"), .who = ANON, .expected = "no resource"},
	{.resource = R("{'Service':'s3.amazonaws.com'}"), .who = SVC, .expected = "allow"},
	{.resource = R("{'Service':'sns.amazonaws.com'}"), .who = SVC, .expected = "no resource"},
	{.resource = R("{'Service':'s3.amazonaws.com'}"), .who = ANON, .expected = "no resource"},
	{.resource = R("{'Service':'s3.amazonaws.com'}"), .who = U, .expected = "no identity"},
	{.resource = R("{'Federated':'accounts.google.com'}"), .who = ANON, .expected = "no resource"},
	{.who = ANON, .expected = "no resource"},
	{.who = SVC, .expected = "no resource"},
	{.resource = R("{'AWS':'" USER "','Service':'s3.amazonaws.com'}"), .who = SVC, .expected = "allow"},
	{.resource = R("'*'"), .who = ANON, .arn = FN ":prod", .expected = "no resource"}, /* each qualifier's policy is its own */
	{.resource = R("'*'"), .who = ANON, .action = "lambda:GetFunction", .expected = "no resource"},
	{ALLOW_ALL, "{'Effect':'Deny','Principal':'*','Action':'*','Resource':'*'}", .expected = "deny resource"},
	{ALLOW_ALL, "{'Effect':'Deny','Principal':{'AWS':'" ROLE "'},'Action':'*','Resource':'*'}", .expected = "allow"},
	{ALLOW_ALL, "{'Effect':'Deny','Principal':{'AWS':'" ROLE "'},'Action':'*','Resource':'*'}", .who = S, .expected = "deny resource"},
	{ALLOW_ALL, "{'Effect':'Deny','Principal':{'AWS':'123456789012'},'Action':'*','Resource':'*'}", .who = S, .expected = "deny resource"},
	{ALLOW_ALL, "{'Effect':'Deny','NotPrincipal':{'AWS':'" USER "'},'Action':'*','Resource':'*'}", .expected = "allow"},
	{ALLOW_ALL, "{'Effect':'Deny','NotPrincipal':{'AWS':'" USER "'},'Action':'*','Resource':'*'}", .who = S, .expected = "deny resource"},
	{.resource = R("'*'") ",{'Effect':'Deny','Principal':'*','Action':'lambda:*','Resource':'*','Condition':{'StringNotEquals':{'aws:SourceAccount':'123456789012'}}}", .who = SVC, .expected = "deny resource"},
	{D("'*'", "'*'"), R("{'AWS':'" USER "'}"), .expected = "deny identity"},
	/* as AddPermission writes them */
	{.resource = RC("{'Service':'s3.amazonaws.com'}", "{'StringEquals':{'AWS:SourceAccount':'123456789012'},'ArnLike':{'AWS:SourceArn':'arn:aws:s3:::bucket'}}"), .who = SVC, .context = "aws:sourceaccount=123456789012;aws:sourcearn=arn:aws:s3:::bucket", .expected = "allow"},
	{.resource = RC("{'Service':'s3.amazonaws.com'}", "{'StringEquals':{'AWS:SourceAccount':'123456789012'},'ArnLike':{'AWS:SourceArn':'arn:aws:s3:::bucket'}}"), .who = SVC, .context = "aws:sourceaccount=123456789012;aws:sourcearn=arn:aws:s3:::other", .expected = "no resource"},
	{.resource = RC("'*'", "{'StringEquals':{'lambda:FunctionUrlAuthType':'NONE'}}"), .who = ANON, .context = "lambda:functionurlauthtype=NONE", .expected = "allow"},
	{.resource = RC("'*'", "{'StringEquals':{'lambda:FunctionUrlAuthType':'NONE'}}"), .who = ANON, .expected = "no resource"},
	{.resource = RC("'*'", "{'Bool':{'lambda:InvokedViaFunctionUrl':'true'}}"), .who = ANON, .context = "lambda:invokedviafunctionurl=true", .expected = "allow"},
	{.resource = RC("'*'", "{'StringEquals':{'aws:PrincipalOrgID':'o-abcdefghij'}}"), .expected = "no identity"}, /* there is no organization */
	{.resource = RC("{'Service':'alexa-appkit.amazon.com'}", "{'StringEquals':{'lambda:EventSourceToken':'t'}}"), .who = SVC, .context = "lambda:eventsourcetoken=t", .expected = "no resource"},
	/* a queue's, as S3 and SNS want them */
	{.resource = "{'Effect':'Allow','Principal':{'Service':'s3.amazonaws.com'},'Action':'sqs:SendMessage','Resource':'" Q "','Condition':{'ArnLike':{'aws:SourceArn':'arn:aws:s3:*:*:bucket'}}}", .who = SVC, .action = "sqs:SendMessage", .arn = Q, .context = "aws:sourcearn=arn:aws:s3:::bucket", .expected = "allow"},
	{.resource = "{'Effect':'Allow','Principal':'*','Action':'SQS:*','Resource':'" Q "','Condition':{'ArnEquals':{'aws:SourceArn':'arn:aws:sns:us-east-1:123456789012:t'}}}", .who = SVC, .action = "sqs:SendMessage", .arn = Q, .context = "aws:sourcearn=arn:aws:sns:us-east-1:123456789012:t", .expected = "allow"},
	/* another account: both must allow, and nobody of it is known here */
	{.resource = R("{'AWS':'210987654321'}"), .who = OTHER, .expected = "no identity"},
	/* sessions' own and boundaries limit */
	{ALLOW_ALL, .session = A("'lambda:*'", "'*'"), .who = S, .expected = "allow"},
	{ALLOW_ALL, .session = A("'sqs:*'", "'*'"), .who = S, .expected = "no session"},
	{A("'sqs:*'", "'*'"), .session = ALLOW_ALL, .who = S, .expected = "no identity"},
	{ALLOW_ALL, .session = ALLOW_ALL "," D("'lambda:*'", "'*'"), .who = S, .expected = "deny session"},
	{ALLOW_ALL, .boundary = A("'lambda:*'", "'*'"), .expected = "allow"},
	{ALLOW_ALL, .boundary = A("'sqs:*'", "'*'"), .expected = "no boundary"},
	{ALLOW_ALL, .boundary = D("'lambda:*'", "'*'"), .expected = "deny boundary"},
	{A("'sqs:*'", "'*'"), .boundary = ALLOW_ALL, .expected = "no identity"},
	{.resource = R("{'AWS':'" ROLE "'}"), .session = A("'sqs:*'", "'*'"), .who = S, .expected = "no session"},
	{.resource = R("{'AWS':'" SESSION "'}"), .session = A("'sqs:*'", "'*'"), .who = S, .expected = "allow"},
	/* who may assume a role */
	{.resource = T("{'AWS':'" USER "'}"), .action = "sts:AssumeRole", .arn = ROLE, .must = true, .expected = "allow"},
	{.resource = T("{'AWS':'123456789012'}"), .action = "sts:AssumeRole", .arn = ROLE, .must = true, .expected = "no identity"},
	{A("'sts:AssumeRole'", "'" ROLE "'"), T("{'AWS':'123456789012'}"), .action = "sts:AssumeRole", .arn = ROLE, .must = true, .expected = "allow"},
	{ALLOW_ALL, T("{'Service':'lambda.amazonaws.com'}"), .action = "sts:AssumeRole", .arn = ROLE, .must = true, .expected = "no resource"},
	{ALLOW_ALL, "{'Effect':'Allow','Principal':{'AWS':'" USER "'},'Action':'sts:AssumeRole','Condition':{'StringEquals':{'sts:ExternalId':'x'}}}", .action = "sts:AssumeRole", .arn = ROLE, .must = true, .expected = "no resource"},
	{ALLOW_ALL, "{'Effect':'Allow','Principal':{'AWS':'" USER "'},'Action':'sts:AssumeRole','Condition':{'StringEquals':{'sts:ExternalId':'x'}}}", .action = "sts:AssumeRole", .arn = ROLE, .context = "sts:externalid=x", .must = true, .expected = "allow"},
};

static const struct row malformed_rows[] = {
	{"", .expected = "Syntax errors in policy."},
	{"{'Effect':'Maybe','Action':'*','Resource':'*'}", .expected = "Syntax errors in policy."},
	{"{'Action':'*','Resource':'*'}", .expected = "Syntax errors in policy."},
	{"{'Effect':'Allow','Resource':'*'}", .expected = "Policy statement must contain actions."},
	{"{'Effect':'Allow','Action':[],'Resource':'*'}", .expected = "Policy statement must contain actions."},
	{"{'Effect':'Allow','Action':'*'}", .expected = "Policy statement must contain resources."},
	{"{'Effect':'Allow','Action':'*','Resource':[]}", .expected = "Policy statement must contain resources."},
	{"{'Effect':'Allow','Action':'*','NotAction':'*','Resource':'*'}", .expected = "Syntax errors in policy."},
	{"{'Effect':'Allow','Action':'*','Resource':'*','NotResource':'*'}", .expected = "Syntax errors in policy."},
	{"{'Effect':'Allow','Action':'*','Resource':'*','Other':1}", .expected = "Syntax errors in policy."},
	{"{'Effect':'Allow','Action':5,'Resource':'*'}", .expected = "Syntax errors in policy."},
	{A("'invoke'", "'*'"), .expected = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
	{A("'a:b:c'", "'*'"), .expected = "Actions/Condition can contain only one colon."},
	{A("'a a:b'", "'*'"), .expected = "Vendor a a is not valid"},
	{A("'lambda:Invoke Function'", "'*'"), .expected = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
	{A("'*'", "'function'"), .expected = "Resource function must be in ARN format or \"*\"."},
	{A("'*'", "'arn:aws:s3'"), .expected = "Resource arn:aws:s3 must be in ARN format or \"*\"."},
	{"{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*'}", .expected = "Policy document should not specify a principal."},
	{"{'Sid':'a','Effect':'Allow','Action':'*','Resource':'*'},{'Sid':'a','Effect':'Allow','Action':'*','Resource':'*'}", .expected = "Statement IDs (SID) in a single policy must be unique."},
	{C("{'StringIs':{'aws:username':'u'}}"), .expected = "Invalid Condition type : StringIs."},
	{C("{'NullIfExists':{'aws:username':'true'}}"), .expected = "Invalid Condition type : NullIfExists."},
	{C("{'StringEquals':{'username':'u'}}"), .expected = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
	{C("{'StringEquals':'u'}"), .expected = "Syntax errors in policy."},
	{C("{'StringEquals':{'aws:username':{}}}"), .expected = "Syntax errors in policy."},
	{C("{'StringEquals':{'aws:RequestTag/x':'u'}}"), .expected = "fnd cannot judge the condition key aws:RequestTag/x: requests have none here."},
	{"{'Effect':'Deny','Action':'lambda:*','Resource':'*','Condition':{'StringEquals':{'ec2:Region':'x'}}}", .expected = "fnd cannot judge the condition key ec2:Region: requests have none here."},
	{A("'*'", "'arn:aws:s3:::${aws:nosuch}'"), .expected = "fnd has no value for the policy variable ${aws:nosuch}"},
	{A("'*'", "'arn:aws:s3:::${aws:username'"), .expected = "The policy variable in arn:aws:s3:::${aws:username has no end"},
	{C("{'NumericEquals':{'aws:MultiFactorAuthAge':'x'}}"), .expected = "The value x cannot be judged by the operator of its condition"},
	{C("{'DateEquals':{'aws:CurrentTime':'tomorrow'}}"), .expected = "The value tomorrow cannot be judged by the operator of its condition"},
	{C("{'IpAddress':{'aws:SourceIp':'10.0.0.0/33'}}"), .expected = "The value 10.0.0.0/33 cannot be judged by the operator of its condition"},
	{C("{'Bool':{'aws:SecureTransport':'yes'}}"), .expected = "The value yes cannot be judged by the operator of its condition"},
	{C("{'ArnLike':{'aws:SourceArn':'bucket'}}"), .expected = "The value bucket cannot be judged by the operator of its condition"},
	{.resource = "{'Effect':'Allow','Action':'*','Resource':'*'}", .expected = "Missing required field Principal cannot be empty!"},
	{.resource = R("'u'"), .expected = "Invalid principal in policy."},
	{.resource = R("{'AWS':'u'}"), .expected = "Invalid principal in policy: \"AWS\":\"u\""},
	{.resource = R("{'AWS':'arn:aws:iam::123456789012:role/*'}"), .expected = "Invalid principal in policy: \"AWS\":\"arn:aws:iam::123456789012:role/*\""},
	{.resource = R("{'Service':'s3'}"), .expected = "Invalid principal in policy: \"SERVICE\":\"s3\""},
	{.resource = R("{'Nobody':'x'}"), .expected = "Syntax errors in policy."},
	{.resource = R("{}"), .expected = "Syntax errors in policy."},
	{.resource = "{'Effect':'Allow','Principal':'*','Action':'lambda:InvokeFunction'}", .must = true, .expected = "AssumeRole policy may only specify STS AssumeRole actions."},
	{.resource = "{'Effect':'Allow','Principal':'*','Action':'sts:AssumeRole','Resource':'*'}", .must = true, .expected = "Has prohibited field Resource"},
	{.resource = "{'Effect':'Allow','Action':'sts:AssumeRole'}", .must = true, .expected = "Missing required field Principal"},
};

/* --- */
static const char *value_of(void *arg, const char *key, unsigned nth)
{
	static char values[4][200];
	static unsigned next;
	char *out = values[next++ % 4];
	size_t n = strlen(key);

	for (const char *p = arg, *end; p && *p; p = *end ? end + 1 : end) {
		end = p + strcspn(p, ";");
		if (strncmp(p, key, n) == 0 && p[n] == '=' && nth-- == 0) {
			snprintf(out, sizeof(values[0]), "%.*s", (int)(end - p - (ptrdiff_t)n - 1), p + n + 1);
			return out;
		}
	}
	return NULL;
}

static struct fn_iam_document *document(const char *statements, enum fn_iam_kind kind, struct fn_buf *why)
{
	fn_auto_buf struct fn_buf b = {0};
	struct fn_iam_document *d = NULL;

	if (!statements)
		return NULL;
	(void)fn_buf_addf(&b, "{'Version':'2012-10-17','Statement':[%s]}", statements);
	for (char *p = b.data; *p; p++)
		*p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
	if (fn_iam_document_parse(b.data, kind, &d, why) < 0)
		ck_assert_msg(why->len > 0, "%s: refused without a reason", b.data);
	return d;
}

static const char *const verdicts[] = {"allow", "no identity", "no resource", "no session", "no boundary", "deny identity", "deny resource", "deny session", "deny boundary"};

static void check_row(const struct row *w, size_t i)
{
	fn_auto_buf struct fn_buf why = {0};
	struct fn_iam_document *identity = document(w->identity, FN_IAM_IDENTITY, &why), *session = document(w->session, FN_IAM_IDENTITY, &why);
	struct fn_iam_document *resource = document(w->resource, w->must ? FN_IAM_TRUST : FN_IAM_RESOURCE, &why), *boundary = document(w->boundary, FN_IAM_IDENTITY, &why);
	const struct fn_iam_document *identities[] = {identity}, *sessions[] = {session};
	const struct fn_iam_policies p = {{identities, identity != NULL}, {sessions, session != NULL}, boundary, resource, w->must};
	const struct fn_iam_request r = {w->action ? w->action : INVOKE, w->arn ? w->arn : FN, &people[w->who], {value_of, (void *)w->context}};
	const char *got = why.len > 0 ? why.data : verdicts[fn_iam_evaluate(&p, &r)];

	ck_assert_msg(strcmp(got, w->expected) == 0, "row %zu: identity %s, resource %s, context %s: %s, not %s", i, w->identity ? w->identity : "-", w->resource ? w->resource : "-",
		      w->context ? w->context : "-", got, w->expected);
	fn_iam_document_free(identity);
	fn_iam_document_free(session);
	fn_iam_document_free(resource);
	fn_iam_document_free(boundary);
}

#define ROWS(NAME)                                                                                \
	START_TEST(NAME)                                                                          \
	{                                                                                         \
		for (size_t i = 0; i < sizeof(NAME##_rows) / sizeof(NAME##_rows[0]); i++)         \
			check_row(&NAME##_rows[i], i);                                            \
	}                                                                                         \
	END_TEST
ROWS(identity)
ROWS(condition)
ROWS(resource)
ROWS(malformed)

START_TEST(documents)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "Syntax errors in policy."},
		{"[]", "Syntax errors in policy."},
		{"{\"Version\":\"2012-10-17\"}", "Syntax errors in policy."},
		{"{\"Version\":\"2011-01-01\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}", "Syntax errors in policy."},
		{"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}", "Policy document must be version 2012-10-17 or greater."},
		{"{\"Version\":\"2012-10-17\",\"Statement\":[],\"Statement\":[]}", "Syntax errors in policy."},
		{"{\"Version\":\"2012-10-17\",\"Other\":1,\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}", "Syntax errors in policy."},
		{"{\"Version\":\"2012-10-17\",\"Id\":\"x\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fn_auto_buf struct fn_buf why = {0};
		struct fn_iam_document *d = NULL;
		int r = fn_iam_document_parse(rows[i].text, FN_IAM_IDENTITY, &d, &why);

		ck_assert_int_eq(r == 0, rows[i].why == NULL);
		ck_assert(!rows[i].why || strcmp(why.data, rows[i].why) == 0);
		fn_iam_document_free(d);
	}
}
END_TEST

START_TEST(words)
{
	const struct fn_iam_request r = {INVOKE, FN, &people[S], {value_of, NULL}}, list = {"lambda:ListFunctions", "*", &people[U], {value_of, NULL}};
	fn_auto_buf struct fn_buf b = {0};

	fn_iam_explain(&b, FN_IAM_NO_IDENTITY, &r);
	ck_assert_str_eq(b.data, "User: " SESSION " is not authorized to perform: lambda:InvokeFunction on resource: " FN " because no identity-based policy allows the lambda:InvokeFunction action");
	fn_buf_reset(&b);
	fn_iam_explain(&b, FN_IAM_DENY_RESOURCE, &r);
	ck_assert_str_eq(b.data, "User: " SESSION " is not authorized to perform: lambda:InvokeFunction on resource: " FN " with an explicit deny in a resource-based policy");
	fn_buf_reset(&b);
	fn_iam_explain(&b, FN_IAM_NO_SESSION, &list);
	ck_assert_str_eq(b.data, "User: " USER " is not authorized to perform: lambda:ListFunctions because no session policy allows the lambda:ListFunctions action");
}
END_TEST

START_TEST(managed)
{
	const struct fn_iam_managed *all;
	size_t n = fn_iam_managed_all(&all);
	char arn[128];

	ck_assert_uint_gt(n, 30);
	for (size_t i = 0; i < n; i++) {
		fn_auto_buf struct fn_buf why = {0};
		struct fn_iam_document *d = NULL;

		ck_assert_msg(fn_iam_document_parse(all[i].document, FN_IAM_IDENTITY, &d, &why) == 0, "%s: %s", all[i].name, why.data);
		ck_assert_msg(fn_iam_document_check(all[i].document, FN_IAM_IDENTITY, &why) == 0, "%s: %s", all[i].name, why.data);
		fn_iam_document_free(d);
		fn_iam_managed_arn(&all[i], arn, sizeof(arn));
		ck_assert_ptr_eq(fn_iam_managed(arn), &all[i]);
		ck_assert(i == 0 || strcmp(all[i - 1].name, all[i].name) < 0);
	}
	ck_assert_ptr_nonnull(fn_iam_managed("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"));
	ck_assert_ptr_null(fn_iam_managed("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole"));
	ck_assert_ptr_null(fn_iam_managed("arn:aws:iam::123456789012:policy/AdministratorAccess"));
}
END_TEST

/* What fn-events is told, and a queue's policy. */
#define TO(principal) "{'Effect':'Allow','Principal':{'AWS':'" principal "'},'Action':'sqs:SendMessage','Resource':'" Q "'}"
#define IF(effect, condition) "{'Effect':'" effect "','Principal':'*','Action':'sqs:*','Resource':'*','Condition':{" condition "}}"
#define FROM "{'aws:sourceip':'192.0.2.7','aws:securetransport':'true','aws:principaltag/Team':'red','aws:username':'u'}"
#define PATHED "arn:aws:iam::123456789012:role/team/r"

static char *quoted(const char *text, char *room, size_t size)
{
	ck_assert_int_eq(fn_str_format(room, size, "%s", text), 0);
	for (char *p = room; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return room;
}

START_TEST(queues)
{
	static const struct {
		const char *principal, *identity, *context, *policy;
		bool allowed;
	} rows[] = {
		{USER, "allow", "", NULL, true},
		{USER, "none", "", NULL, false},
		{USER, "deny", "", NULL, false},
		{USER, "limited", "", NULL, false},
		{"", "none", "", NULL, false},
		{"arn:aws:iam::123456789012:root", "allow", "", "{'Effect':'Deny','Principal':'*','Action':'*','Resource':'*'}", true},
		{USER, "none", "", TO(USER), true},
		{USER, "deny", "", TO(USER), false},
		{USER, "none", "", TO("123456789012"), false},
		{USER, "allow", "", "{'Effect':'Deny','Principal':'*','Action':'sqs:*','Resource':'*'}", false},
		{SESSION, "none", "", "{'Effect':'Allow','Principal':{'AWS':'" ROLE "'},'Action':'sqs:*','Resource':'*'}", true},
		{SESSION, "none", "", "{'Effect':'Allow','Principal':{'AWS':'" ROLE "x'},'Action':'sqs:*','Resource':'*'}", false},
		{"s3.amazonaws.com", "none", "", "{'Effect':'Allow','Principal':{'Service':'s3.amazonaws.com'},'Action':'sqs:SendMessage','Resource':'*'}", true},
		{"", "none", "", "{'Effect':'Allow','Principal':'*','Action':'sqs:SendMessage','Resource':'" Q "'}", true},
		/* a session's own policies and a boundary limit what its role is given, and everybody; not what it is given itself */
		{SESSION, "limited", "", TO(ROLE), false},
		{SESSION, "limited", "", TO(SESSION), true},
		{SESSION, "limited", "", IF("Allow", "'Bool':{'aws:PrincipalIsAWSService':'false'}"), false},
		/* a role's path is known by the context alone */
		{SESSION, "none", "{'aws:principalarn':'" PATHED "'}", TO(PATHED), true},
		{SESSION, "none", "{'aws:principalarn':'" PATHED "'}", TO(ROLE), false},
		{SESSION, "allow", "{'aws:principalarn':'" PATHED "'}", "{'Effect':'Deny','Principal':{'AWS':'" PATHED "'},'Action':'*','Resource':'*'}", false},
		/* keys that fnd tells */
		{USER, "none", FROM, IF("Allow", "'IpAddress':{'aws:SourceIp':'192.0.2.0/24'}"), true},
		{USER, "none", FROM, IF("Allow", "'IpAddress':{'aws:SourceIp':'198.51.100.0/24'}"), false},
		{USER, "none", "", IF("Allow", "'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}"), false},
		{USER, "allow", FROM, IF("Deny", "'NotIpAddress':{'aws:SourceIp':'192.0.2.7'}"), true},
		{USER, "allow", "", IF("Deny", "'NotIpAddress':{'aws:SourceIp':'192.0.2.7'}"), false},
		{USER, "allow", FROM, IF("Deny", "'Bool':{'aws:SecureTransport':'false'}"), true},
		{USER, "allow", "{'aws:securetransport':'false'}", IF("Deny", "'Bool':{'aws:SecureTransport':'false'}"), false},
		{USER, "none", FROM, IF("Allow", "'StringEquals':{'aws:PrincipalTag/team':'red'}"), true},
		{USER, "none", FROM, IF("Allow", "'StringEquals':{'aws:PrincipalTag/team':'blue'}"), false},
		{USER, "none", FROM, IF("Allow", "'StringLike':{'aws:username':'u'}"), true},
		{USER, "none", FROM, IF("Allow", "'DateGreaterThan':{'aws:CurrentTime':'2020-01-01T00:00:00Z'}"), true},
		{USER, "none", FROM, IF("Allow", "'NumericLessThan':{'aws:EpochTime':'1577836800'}"), false},
		{USER, "none", FROM, IF("Allow", "'ArnLike':{'aws:SourceArn':'arn:aws:sns:*:*:*'}"), false},
		{USER, "none", FROM, IF("Allow", "'StringEquals':{'aws:SourceAccount':'123456789012'}"), false},
		{USER, "allow", "no object", IF("Allow", "'Bool':{'aws:SecureTransport':'true'}"), false},
	};
	char room[1024], context[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fn_auto_buf struct fn_buf b = {0}, why = {0};
		struct fn_iam_document *policy = NULL;
		const struct fn_iam_asker who = {rows[i].principal, rows[i].identity, quoted(rows[i].context, context, sizeof(context))};

		if (rows[i].policy) {
			(void)fn_buf_addf(&b, "{'Version':'2012-10-17','Statement':[%s]}", rows[i].policy);
			ck_assert_msg(fn_iam_document_parse(quoted(b.data, room, sizeof(room)), FN_IAM_RESOURCE, &policy, &why) == 0, "row %zu: %s", i, why.data);
		}
		ck_assert_msg(fn_iam_resource_allows(&who, "sqs:SendMessage", Q, policy) == rows[i].allowed, "row %zu", i);
		fn_iam_document_free(policy);
	}
}
END_TEST

static const char *of_nothing(void *arg, const char *key, unsigned nth) { return (void)arg, (void)key, (void)nth, NULL; }

/* What is refused when it is put; what is stored is read all the same. */
START_TEST(put)
{
	static const struct {
		const char *text, *why;
		enum fn_iam_kind kind;
	} rows[] = {
		{A("'s3:Get*'", "'arn:aws-us-gov:s3:::b'"), NULL, FN_IAM_IDENTITY},
		{A("'s3:Get*'", "['arn:*:s3:::b','arn:aws*:s3:::b','*']"), NULL, FN_IAM_IDENTITY},
		{A("'s3:Get*'", "'arn:error:s3:::b'"), "Partition \"error\" is not valid for resource \"arn:error:s3:::b\".", FN_IAM_IDENTITY},
		{"{'Sid':'Of1','Effect':'Allow','Action':'s3:*','Resource':'*'}", NULL, FN_IAM_IDENTITY},
		{"{'Sid':'','Effect':'Allow','Action':'s3:*','Resource':'*'}", NULL, FN_IAM_IDENTITY},
		{"{'Sid':'not so','Effect':'Allow','Action':'s3:*','Resource':'*'}",
		 "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*", FN_IAM_IDENTITY},
		{"{'Sid':'not so','Effect':'Allow','Principal':'*','Action':'sqs:*','Resource':'*'}", NULL, FN_IAM_RESOURCE},
		{"{'Effect':'Allow','Principal':{'Service':'lambda.amazonaws.com'},'Action':'sts:AssumeRole'}", NULL, FN_IAM_TRUST},
		{"{'Effect':'Allow','Principal':{'Service':'ec2.amazonaws.com.cn'},'Action':'sts:AssumeRole'}", NULL, FN_IAM_TRUST},
		{"{'Effect':'Allow','Principal':{'Service':'lambda.amazon.com'},'Action':'sts:AssumeRole'}", "Invalid principal in policy: \"SERVICE\":\"lambda.amazon.com\"", FN_IAM_TRUST},
		{"{'Effect':'Allow','Principal':{'Service':'alexa-appkit.amazon.com'},'Action':'lambda:*','Resource':'*'}", NULL, FN_IAM_RESOURCE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fn_auto_buf struct fn_buf why = {0}, text = {0}, none = {0};
		struct fn_iam_document *d = document(rows[i].text, rows[i].kind, &none);

		ck_assert_msg(d != NULL, "%s: %s", rows[i].text, none.data);
		fn_iam_document_free(d);
		(void)fn_buf_addf(&text, "{\"Version\":\"2012-10-17\",\"Statement\":[%s]}", rows[i].text);
		for (char *p = text.data; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		ck_assert_int_eq(fn_iam_document_check(text.data, rows[i].kind, &why), rows[i].why ? -EINVAL : 0);
		if (rows[i].why)
			ck_assert_str_eq(why.data, rows[i].why);
	}
}
END_TEST

/* A principal that is bound to an id is nobody else of that name. */
START_TEST(bound)
{
	static const char text[] = "{'Effect':'Allow','Principal':{'AWS':['" USER "','" ROLE "']},'Action':'sts:AssumeRole'}";
	fn_auto_buf struct fn_buf why = {0};
	struct fn_iam_document *d = document(text, FN_IAM_TRUST, &why);
	json_t *same = json_pack("{ss,ss}", USER, "AIDAU", ROLE, "AROAR"), *other = json_pack("{ss}", USER, "AIDAX");
	struct fn_iam_request r = {"sts:AssumeRole", "arn:aws:iam::123456789012:role/x", &people[U], {of_nothing, NULL}};

	ck_assert_int_eq(fn_iam_document_says(d, &r), FN_IAM_NAMED);
	fn_iam_document_bind(d, same);
	ck_assert_int_eq(fn_iam_document_says(d, &r), FN_IAM_NAMED);
	r.who = &people[S];
	ck_assert_int_eq(fn_iam_document_says(d, &r), FN_IAM_ROLE);
	fn_iam_document_bind(d, other);
	ck_assert_int_eq(fn_iam_document_says(d, &r), FN_IAM_ROLE);
	r.who = &people[U];
	ck_assert_int_eq(fn_iam_document_says(d, &r), FN_IAM_NOTHING);
	fn_iam_document_free(d);
	json_decref(same);
	json_decref(other);
}
END_TEST

/* The identity's side alone: nothing that a resource's policy says may make up for a limit, but what names the one who asks. */
START_TEST(sides)
{
	static const struct {
		const char *identity, *session, *boundary, *says;
	} rows[] = {
		{"Allow", NULL, NULL, "allow"}, {"Deny", NULL, NULL, "deny"},	      {NULL, NULL, NULL, "none"},	    {"Allow", "Allow", "Allow", "allow"},
		{NULL, "Allow", NULL, "none"},	{NULL, "Other", NULL, "limited"},     {"Allow", "Other", NULL, "limited"}, {"Allow", NULL, "Other", "limited"},
		{"Allow", "Deny", NULL, "deny"}, {"Allow", "Allow", "Deny", "deny"}, {NULL, NULL, "Other", "limited"},
	};
	const struct fn_iam_principal who = {FN_IAM_SESSION, SESSION, ROLE, "123456789012", NULL};
	const struct fn_iam_request r = {"sqs:SendMessage", Q, &who, {of_nothing, NULL}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *texts[] = {rows[i].identity, rows[i].session, rows[i].boundary};
		struct fn_iam_document *d[3] = {NULL};
		const struct fn_iam_document *const *list = (const struct fn_iam_document *const *)d;
		fn_auto_buf struct fn_buf why = {0};
		char text[256];

		for (size_t k = 0; k < 3; k++) {
			bool other = fn_streq(texts[k], "Other");

			snprintf(text, sizeof(text), "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"%s\",\"Action\":\"%s\",\"Resource\":\"*\"}}", texts[k] && !other ? texts[k] : "Allow",
				 other ? "sqs:ReceiveMessage" : "sqs:*");
			if (texts[k])
				ck_assert_int_eq(fn_iam_document_parse(text, FN_IAM_IDENTITY, &d[k], &why), 0);
		}
		ck_assert_str_eq(fn_iam_identity_word(fn_iam_identity_says(&(struct fn_iam_policies){.identity = {list, d[0] != NULL}, .session = {list + 1, d[1] != NULL}, .boundary = d[2]}, &r)), rows[i].says);
		for (size_t k = 0; k < 3; k++)
			fn_iam_document_free(d[k]);
	}
}
END_TEST

START_TEST(there_are_150_policies_at_least)
{
	size_t n = sizeof(identity_rows) + sizeof(condition_rows) + sizeof(resource_rows) + sizeof(malformed_rows);

	ck_assert_uint_ge(n / sizeof(struct row), 150);
}
END_TEST

TEST_MAIN("aws/evaluate", identity, condition, resource, malformed, documents, words, managed, queues, put, bound, sides, there_are_150_policies_at_least)
