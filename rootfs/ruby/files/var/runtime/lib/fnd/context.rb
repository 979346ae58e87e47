# frozen_string_literal: true

# What a handler gets beside the event (AWS Lambda Developer Guide, "ruby-context").
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name, :memory_limit_in_mb, :function_version, :identity,
              :client_context, :deadline_ms, :tenant_id

  def initialize(request)
    now = Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond)
    @clock_diff = now - Process.clock_gettime(Process::CLOCK_MONOTONIC, :millisecond) # the remaining time is not the wall clock's to change
    @deadline_ms = request['Lambda-Runtime-Deadline-Ms'].to_i
    @aws_request_id = request['Lambda-Runtime-Aws-Request-Id']
    @invoked_function_arn = request['Lambda-Runtime-Invoked-Function-Arn']
    @tenant_id = request['Lambda-Runtime-Aws-Tenant-Id']
    @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
    @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
    @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
    @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
    @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
    @identity = parsed(request['Lambda-Runtime-Cognito-Identity'])
    @client_context = parsed(request['Lambda-Runtime-Client-Context'])
  end

  def get_remaining_time_in_millis # rubocop:disable Naming/AccessorMethodName: AWS's name
    [@deadline_ms - Process.clock_gettime(Process::CLOCK_MONOTONIC, :millisecond) - @clock_diff, 0].max
  end

  private

  def parsed(text) = text && JSON.parse(text)
end
