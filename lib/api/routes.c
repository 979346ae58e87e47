/* routes.c - see routes.h. Methods, paths and members are lib/aws/lambda.c's. */
#include "api/routes.h"

#include "api/iam.h"
#include "api/recursion.h"
#include "image/oci.h"
#include "model/limits.h"

#define SMALL (256u << 10)
#define FN_REFUSED_MEMBERS "VpcConfig, KMSKeyArn, FileSystemConfigs, CodeSigningConfigArn, DurableConfig, CapacityProviderConfig" /* configuration.c */

static const struct {
	fn_handler handler;
	size_t body_max; /* 0 = SMALL */
	const char *package[2];
	enum fn_server served_by;
	const char *lacks; /* of one that works: what of it is refused yet; NULL = nothing */
} routes[FN_AWS_OPERATIONS] = {
	[FN_AWS_Invoke] = {.handler = fn_h_invoke, .body_max = FN_LIMIT_INVOKE_BYTES, .lacks = "DurableExecutionName"},
	[FN_AWS_InvokeWithResponseStream] = {.handler = fn_h_invoke, .body_max = FN_LIMIT_INVOKE_BYTES},
	[FN_AWS_CreateFunction] = {fn_h_create_function, FN_LIMIT_REQUEST_BYTES, {"Code", "ZipFile"}, .lacks = FN_REFUSED_MEMBERS ", PublishTo, Code.SourceKMSKeyArn"},
	[FN_AWS_GetFunction] = {.handler = fn_h_get_function},
	[FN_AWS_GetFunctionConfiguration] = {.handler = fn_h_get_configuration},
	[FN_AWS_UpdateFunctionCode] = {fn_h_update_code, FN_LIMIT_REQUEST_BYTES, {"ZipFile"}, .lacks = "PublishTo, SourceKMSKeyArn"},
	[FN_AWS_UpdateFunctionConfiguration] = {.handler = fn_h_update_configuration, .lacks = FN_REFUSED_MEMBERS},
	[FN_AWS_DeleteFunction] = {.handler = fn_h_delete_function},
	[FN_AWS_ListFunctions] = {.handler = fn_h_list_functions},
	[FN_AWS_PublishVersion] = {.handler = fn_h_publish_version},
	[FN_AWS_ListVersionsByFunction] = {.handler = fn_h_list_versions},
	[FN_AWS_CreateAlias] = {.handler = fn_h_create_alias},
	[FN_AWS_GetAlias] = {.handler = fn_h_get_alias},
	[FN_AWS_UpdateAlias] = {.handler = fn_h_update_alias},
	[FN_AWS_DeleteAlias] = {.handler = fn_h_delete_alias},
	[FN_AWS_ListAliases] = {.handler = fn_h_list_aliases},
	[FN_AWS_GetPolicy] = {.handler = fn_h_get_policy},
	[FN_AWS_AddPermission] = {.handler = fn_h_add_permission},
	[FN_AWS_RemovePermission] = {.handler = fn_h_remove_permission},
	[FN_AWS_CreateFunctionUrlConfig] = {.handler = fn_h_create_url},
	[FN_AWS_GetFunctionUrlConfig] = {.handler = fn_h_get_url},
	[FN_AWS_UpdateFunctionUrlConfig] = {.handler = fn_h_update_url},
	[FN_AWS_DeleteFunctionUrlConfig] = {.handler = fn_h_delete_url},
	[FN_AWS_ListFunctionUrlConfigs] = {.handler = fn_h_list_urls},
	[FN_AWS_GetAccountSettings] = {.handler = fn_h_account_settings},
	[FN_AWS_GetFunctionCodeSigningConfig] = {.handler = fn_h_code_signing},
	[FN_AWS_GetFunctionConcurrency] = {.handler = fn_h_get_concurrency},
	[FN_AWS_PutFunctionConcurrency] = {.handler = fn_h_put_concurrency},
	[FN_AWS_DeleteFunctionConcurrency] = {.handler = fn_h_delete_concurrency},
	[FN_AWS_PutProvisionedConcurrencyConfig] = {.handler = fn_h_put_provisioned},
	[FN_AWS_GetProvisionedConcurrencyConfig] = {.handler = fn_h_get_provisioned},
	[FN_AWS_DeleteProvisionedConcurrencyConfig] = {.handler = fn_h_delete_provisioned},
	[FN_AWS_ListProvisionedConcurrencyConfigs] = {.handler = fn_h_list_provisioned},
	[FN_AWS_ListTags] = {.handler = fn_h_list_tags},
	[FN_AWS_TagResource] = {.handler = fn_h_tag},
	[FN_AWS_UntagResource] = {.handler = fn_h_untag},
	[FN_AWS_PublishLayerVersion] = {fn_h_publish_layer, FN_LIMIT_REQUEST_BYTES, {"Content", "ZipFile"}},
	[FN_AWS_GetLayerVersion] = {.handler = fn_h_get_layer},
	[FN_AWS_GetLayerVersionByArn] = {.handler = fn_h_get_layer_by_arn},
	[FN_AWS_ListLayers] = {.handler = fn_h_list_layers},
	[FN_AWS_ListLayerVersions] = {.handler = fn_h_list_layer_versions},
	[FN_AWS_DeleteLayerVersion] = {.handler = fn_h_delete_layer},
	[FN_AWS_AddLayerVersionPermission] = {.handler = fn_h_add_layer_permission},
	[FN_AWS_GetLayerVersionPolicy] = {.handler = fn_h_get_layer_policy},
	[FN_AWS_RemoveLayerVersionPermission] = {.handler = fn_h_remove_layer_permission},
	[FN_AWS_InvokeAsync] = {.handler = fn_h_invoke_async, .body_max = FN_LIMIT_INVOKE_BYTES, .served_by = FN_EVENTS},
	[FN_AWS_GetFunctionRecursionConfig] = {.handler = fn_h_get_recursion},
	[FN_AWS_PutFunctionRecursionConfig] = {.handler = fn_h_put_recursion},
	/* not built yet, with bodies that are not small */
		[FN_AWS_CheckpointDurableExecution] = {.body_max = FN_LIMIT_INVOKE_BYTES},
	[FN_AWS_CreateEventSourceMapping] = {.handler = fn_h_proxy, .served_by = FN_EVENTS, .lacks = "sources but Amazon SQS queues, KMSKeyArn"},
	[FN_AWS_GetEventSourceMapping] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_UpdateEventSourceMapping] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_DeleteEventSourceMapping] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_ListEventSourceMappings] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_PutFunctionEventInvokeConfig] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_UpdateFunctionEventInvokeConfig] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_GetFunctionEventInvokeConfig] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_DeleteFunctionEventInvokeConfig] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_ListFunctionEventInvokeConfigs] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	/* CloudWatch Logs: what is built of it is cloudwatch.c's table */
	[FN_AWS_Logs_PutLogEvents] = {.body_max = FN_LIMIT_PUT_EVENTS_BYTES},
	[FN_AWS_Sqs_SendMessage] = {.body_max = FN_LIMIT_SQS_REQUEST_BYTES},
	[FN_AWS_Sqs_SendMessageBatch] = {.body_max = FN_LIMIT_SQS_REQUEST_BYTES},
	/* IAM, STS */
	[FN_AWS_Iam_CreateRole] = {.handler = fn_h_iam_create_role},
	[FN_AWS_Iam_GetRole] = {.handler = fn_h_iam_get_role},
	[FN_AWS_Iam_ListRoles] = {.handler = fn_h_iam_list_roles},
	[FN_AWS_Iam_UpdateRole] = {.handler = fn_h_iam_update_role},
	[FN_AWS_Iam_UpdateRoleDescription] = {.handler = fn_h_iam_update_role},
	[FN_AWS_Iam_UpdateAssumeRolePolicy] = {.handler = fn_h_iam_update_trust},
	[FN_AWS_Iam_DeleteRole] = {.handler = fn_h_iam_delete_role},
	[FN_AWS_Iam_TagRole] = {.handler = fn_h_iam_tag},
	[FN_AWS_Iam_UntagRole] = {.handler = fn_h_iam_untag},
	[FN_AWS_Iam_ListRoleTags] = {.handler = fn_h_iam_list_tags},
	[FN_AWS_Iam_PutRolePermissionsBoundary] = {.handler = fn_h_iam_boundary},
	[FN_AWS_Iam_DeleteRolePermissionsBoundary] = {.handler = fn_h_iam_boundary},
	[FN_AWS_Iam_CreateServiceLinkedRole] = {.handler = fn_h_iam_create_service_role},
	[FN_AWS_Iam_DeleteServiceLinkedRole] = {.handler = fn_h_iam_delete_service_role},
	[FN_AWS_Iam_GetServiceLinkedRoleDeletionStatus] = {.handler = fn_h_iam_service_role_deletion},
	[FN_AWS_Iam_ListInstanceProfilesForRole] = {.handler = fn_h_iam_profiles_of_role},
	[FN_AWS_Iam_ListInstanceProfiles] = {.handler = fn_h_iam_list_profiles},
	[FN_AWS_Iam_CreateInstanceProfile] = {.handler = fn_h_iam_create_profile},
	[FN_AWS_Iam_GetInstanceProfile] = {.handler = fn_h_iam_get_profile},
	[FN_AWS_Iam_DeleteInstanceProfile] = {.handler = fn_h_iam_delete_profile},
	[FN_AWS_Iam_AddRoleToInstanceProfile] = {.handler = fn_h_iam_add_to_profile},
	[FN_AWS_Iam_RemoveRoleFromInstanceProfile] = {.handler = fn_h_iam_remove_from_profile},
	[FN_AWS_Iam_PutRolePolicy] = {.handler = fn_h_iam_put_inline},
	[FN_AWS_Iam_GetRolePolicy] = {.handler = fn_h_iam_get_inline},
	[FN_AWS_Iam_ListRolePolicies] = {.handler = fn_h_iam_list_inline},
	[FN_AWS_Iam_DeleteRolePolicy] = {.handler = fn_h_iam_delete_inline},
	[FN_AWS_Iam_AttachRolePolicy] = {.handler = fn_h_iam_attach},
	[FN_AWS_Iam_DetachRolePolicy] = {.handler = fn_h_iam_detach},
	[FN_AWS_Iam_ListAttachedRolePolicies] = {.handler = fn_h_iam_list_attached},
	[FN_AWS_Iam_PutUserPolicy] = {.handler = fn_h_iam_put_inline},
	[FN_AWS_Iam_GetUserPolicy] = {.handler = fn_h_iam_get_inline},
	[FN_AWS_Iam_ListUserPolicies] = {.handler = fn_h_iam_list_inline},
	[FN_AWS_Iam_DeleteUserPolicy] = {.handler = fn_h_iam_delete_inline},
	[FN_AWS_Iam_AttachUserPolicy] = {.handler = fn_h_iam_attach},
	[FN_AWS_Iam_DetachUserPolicy] = {.handler = fn_h_iam_detach},
	[FN_AWS_Iam_ListAttachedUserPolicies] = {.handler = fn_h_iam_list_attached},
	[FN_AWS_Iam_CreatePolicy] = {.handler = fn_h_iam_create_policy},
	[FN_AWS_Iam_GetPolicy] = {.handler = fn_h_iam_get_policy},
	[FN_AWS_Iam_ListPolicies] = {.handler = fn_h_iam_list_policies, .lacks = "PolicyUsageFilter"},
	[FN_AWS_Iam_DeletePolicy] = {.handler = fn_h_iam_delete_policy},
	[FN_AWS_Iam_CreatePolicyVersion] = {.handler = fn_h_iam_create_version},
	[FN_AWS_Iam_GetPolicyVersion] = {.handler = fn_h_iam_get_version},
	[FN_AWS_Iam_ListPolicyVersions] = {.handler = fn_h_iam_list_versions},
	[FN_AWS_Iam_DeletePolicyVersion] = {.handler = fn_h_iam_delete_version},
	[FN_AWS_Iam_SetDefaultPolicyVersion] = {.handler = fn_h_iam_default_version},
	[FN_AWS_Iam_ListEntitiesForPolicy] = {.handler = fn_h_iam_entities_for_policy},
	[FN_AWS_Iam_TagPolicy] = {.handler = fn_h_iam_tag},
	[FN_AWS_Iam_UntagPolicy] = {.handler = fn_h_iam_untag},
	[FN_AWS_Iam_ListPolicyTags] = {.handler = fn_h_iam_list_tags},
	[FN_AWS_Iam_CreateUser] = {.handler = fn_h_iam_create_user},
	[FN_AWS_Iam_GetUser] = {.handler = fn_h_iam_get_user},
	[FN_AWS_Iam_ListUsers] = {.handler = fn_h_iam_list_users},
	[FN_AWS_Iam_DeleteUser] = {.handler = fn_h_iam_delete_user},
	[FN_AWS_Iam_TagUser] = {.handler = fn_h_iam_tag},
	[FN_AWS_Iam_UntagUser] = {.handler = fn_h_iam_untag},
	[FN_AWS_Iam_ListUserTags] = {.handler = fn_h_iam_list_tags},
	[FN_AWS_Iam_ListGroupsForUser] = {.handler = fn_h_iam_no_groups},
	[FN_AWS_Iam_ListAccountAliases] = {.handler = fn_h_iam_no_aliases},
	[FN_AWS_Iam_CreateAccessKey] = {.handler = fn_h_iam_create_key},
	[FN_AWS_Iam_ListAccessKeys] = {.handler = fn_h_iam_list_keys},
	[FN_AWS_Iam_UpdateAccessKey] = {.handler = fn_h_iam_update_key},
	[FN_AWS_Iam_DeleteAccessKey] = {.handler = fn_h_iam_delete_key},
	[FN_AWS_Sts_GetCallerIdentity] = {.handler = fn_h_sts_caller},
	[FN_AWS_Sts_AssumeRole] = {.handler = fn_h_sts_assume, .lacks = "SerialNumber, TokenCode, SourceIdentity, ProvidedContexts"},
	[FN_AWS_Sts_GetSessionToken] = {.handler = fn_h_sts_session_token, .lacks = "SerialNumber, TokenCode"},
	[FN_AWS_Sts_GetAccessKeyInfo] = {.handler = fn_h_sts_key_info},
	/* fnd's own, for fnctl */
	[FN_AWS_Async] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_AsyncList] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_AsyncReplay] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_AsyncPurge] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_Download] = {.handler = fn_h_download},
	[FN_AWS_Disk] = {.handler = fn_h_disk},
	[FN_AWS_Doctor] = {.handler = fn_h_doctor},
	[FN_AWS_Images] = {.handler = fn_h_images},
	[FN_AWS_ImagesRescan] = {.handler = fn_h_images_rescan},
	[FN_AWS_ImageLayer] = {.handler = fn_h_image_layer, .body_max = FN_OCI_BYTES_MAX},
	[FN_AWS_ImageImport] = {.handler = fn_h_image_import, .body_max = 3 * FN_OCI_TEXT_MAX},
	[FN_AWS_RuntimeImage] = {.handler = fn_h_runtime_image},
	[FN_AWS_RuntimeImageRemove] = {.handler = fn_h_runtime_image_remove},
	[FN_AWS_ImagesLocal] = {.handler = fn_h_images_local},
	[FN_AWS_ImageForget] = {.handler = fn_h_image_forget},
	[FN_AWS_Events] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_Mappings] = {.handler = fn_h_proxy, .served_by = FN_EVENTS},
	[FN_AWS_Metrics] = {.handler = fn_h_metrics},
	[FN_AWS_GetRuntimeManagementConfig] = {.handler = fn_h_get_runtime_management},
	[FN_AWS_PutRuntimeManagementConfig] = {.handler = fn_h_put_runtime_management},
	[FN_AWS_Runtimes] = {.handler = fn_h_runtimes},
	[FN_AWS_AddRuntime] = {.handler = fn_h_add_runtime},
	[FN_AWS_RemoveRuntime] = {.handler = fn_h_remove_runtime},
	[FN_AWS_Layers] = {.handler = fn_h_layers},
	[FN_AWS_ImportLayer] = {fn_h_import_layer, FN_LIMIT_REQUEST_BYTES, {"Content", "ZipFile"}},
	[FN_AWS_Logs] = {.handler = fn_h_logs},
};

const char *fn_server_name(enum fn_server s) { return s == FN_EVENTS ? "fn-events" : "fnd"; }

enum fn_server fn_route_served_by(const struct fn_aws_operation *o) { return o->service == FN_AWS_SQS ? FN_EVENTS : routes[fn_aws_op_of(o)].served_by; }

const char *fn_route_lacks(const struct fn_aws_operation *o) { return routes[fn_aws_op_of(o)].lacks; }

fn_handler fn_route_handler(const struct fn_aws_operation *o)
{
	if (o->service == FN_AWS_SQS) /* all of it: lib/sqs */
		return fn_h_proxy;
	return fn_cloudwatch_built(o) ? fn_h_cloudwatch : routes[fn_aws_op_of(o)].handler;
}

size_t fn_route_body_max(const struct fn_aws_operation *o)
{
	size_t max = o ? routes[fn_aws_op_of(o)].body_max : 0;

	return max ? max : SMALL;
}

const char *const *fn_route_package(const struct fn_aws_operation *o)
{
	return o && routes[fn_aws_op_of(o)].package[0] ? routes[fn_aws_op_of(o)].package : NULL;
}
