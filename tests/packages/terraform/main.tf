# What hangs on a function, with terraform-provider-aws, which finds fnd by AWS_ENDPOINT_URL: tools.py applies it, changes it and destroys it.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "text" { default = "one" }
variable "n" { default = 5 }
provider "aws" { region = "us-east-1" }
data "aws_caller_identity" "me" {}
resource "aws_iam_role" "r" {
  name = "tf-role"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }] })
}
resource "aws_iam_role_policy_attachment" "basic" {
  role = aws_iam_role.r.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
}
resource "aws_cloudwatch_log_group" "g" {
  name = "/aws/lambda/tf-f"
  retention_in_days = var.n == 5 ? 7 : 14
  tags = { a = "b" }
}
resource "aws_lambda_layer_version" "l" {
  layer_name = "tf-lay"
  filename = "lay.zip"
  source_code_hash = filebase64sha256("lay.zip")
  compatible_runtimes = ["python3.11"]
}
resource "aws_lambda_function" "f" {
  function_name = "tf-f"
  role = aws_iam_role.r.arn
  runtime = "python3.11"
  handler = "f.handler"
  filename = "f.zip"
  source_code_hash = filebase64sha256("f.zip")
  layers = [aws_lambda_layer_version.l.arn]
  memory_size = 256
  timeout = 10
  publish = true
  reserved_concurrent_executions = 5
  environment { variables = { TEXT = var.text } }
  logging_config {
    log_format = "JSON"
    application_log_level = "INFO"
    system_log_level = "INFO"
  }
  dead_letter_config { target_arn = aws_sqs_queue.dead.arn }
  tags = { team = var.text }
  depends_on = [aws_cloudwatch_log_group.g, aws_iam_role_policy_attachment.basic]
}
resource "aws_sqs_queue" "q" { 
  name = "tf-q" 
  visibility_timeout_seconds = var.n * 10
}
resource "aws_sqs_queue" "dead" { name = "tf-dead" }
resource "aws_lambda_alias" "live" {
  name = "live"
  function_name = aws_lambda_function.f.function_name
  function_version = aws_lambda_function.f.version
}
resource "aws_lambda_function_url" "u" {
  function_name = aws_lambda_function.f.function_name
  qualifier = aws_lambda_alias.live.name
  authorization_type = "NONE"
  invoke_mode = "RESPONSE_STREAM"
  cors { 
    allow_origins = ["*"] 
    allow_methods = ["GET"]
    max_age = var.n
  }
}
resource "aws_lambda_permission" "p" {
  statement_id = "AllowS3"
  action = "lambda:InvokeFunction"
  function_name = aws_lambda_function.f.function_name
  principal = "s3.amazonaws.com"
  source_arn = "arn:aws:s3:::bucket"
  qualifier = aws_lambda_alias.live.name
}
resource "aws_lambda_layer_version_permission" "lp" {
  layer_name = aws_lambda_layer_version.l.layer_name
  version_number = aws_lambda_layer_version.l.version
  principal = "*"
  action = "lambda:GetLayerVersion"
  statement_id = "all"
}
resource "aws_lambda_event_source_mapping" "m" {
  event_source_arn = aws_sqs_queue.q.arn
  function_name = aws_lambda_function.f.arn
  batch_size = var.n
  function_response_types = ["ReportBatchItemFailures"]
  scaling_config { maximum_concurrency = 2 }
  filter_criteria {
    filter { pattern = jsonencode({ body = { kind = ["a"] } }) }
  }
}
resource "aws_lambda_function_event_invoke_config" "e" {
  function_name = aws_lambda_function.f.function_name
  maximum_retry_attempts = var.n - 5
  maximum_event_age_in_seconds = 120
  destination_config {
    on_failure { destination = aws_sqs_queue.dead.arn }
  }
}
resource "aws_lambda_provisioned_concurrency_config" "pc" {
  function_name = aws_lambda_function.f.function_name
  qualifier = aws_lambda_alias.live.name
  provisioned_concurrent_executions = 1
}
resource "aws_lambda_runtime_management_config" "rm" {
  function_name = aws_lambda_function.f.function_name
  update_runtime_on = "FunctionUpdate"
}
resource "aws_lambda_function_recursion_config" "rc" {
  function_name = aws_lambda_function.f.function_name
  recursive_loop = "Allow"
}
data "aws_lambda_invocation" "i" {
  function_name = aws_lambda_function.f.function_name
  qualifier = aws_lambda_alias.live.name
  input = jsonencode({ name = "terraform" })
}
output "result" { value = data.aws_lambda_invocation.i.result }
output "url" { value = aws_lambda_function_url.u.function_url }
output "account" { value = data.aws_caller_identity.me.account_id }
