# A function of a container image, in a registry on loopback: tools.py applies it, moves it to another image of the tag and destroys it.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "image" {}
variable "seconds" { default = 10 }
provider "aws" { region = "us-east-1" }
resource "aws_iam_role" "r" {
  name = "tf-image"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }] })
}
resource "aws_lambda_function" "f" {
  function_name = "tf-image"
  role = aws_iam_role.r.arn
  package_type = "Image"
  image_uri = var.image
  image_config {
    command = ["app.handler"]
    working_directory = "/app"
  }
  memory_size = 256
  timeout = var.seconds
  publish = true
}
resource "aws_lambda_alias" "live" {
  name = "live"
  function_name = aws_lambda_function.f.function_name
  function_version = aws_lambda_function.f.version
}
data "aws_lambda_invocation" "i" {
  function_name = aws_lambda_function.f.function_name
  qualifier = aws_lambda_alias.live.name
  input = jsonencode({ name = var.image })
}
output "result" { value = data.aws_lambda_invocation.i.result }
output "version" { value = aws_lambda_function.f.version }
