# frozen_string_literal: true

# The Ruby runtime: loads the handler, calls it with each event, and posts what comes of it. Contract: AWS Lambda Developer Guide, "ruby-handler",
# "ruby-context", "ruby-logging", "ruby-exceptions", "runtimes-api"; where that is silent, the behaviour of AWS's client (the gem aws_lambda_ric).
require 'json'
require 'logger'
require 'stringio'
require_relative 'fnd/api'
require_relative 'fnd/context'
require_relative 'fnd/errors'
require_relative 'fnd/logging'
require_relative 'fnd/ahead'

module AwsLambda
  # How events and results become bytes; a function may redefine either, as on Lambda.
  class Marshaller
    class << self
      def marshall_request(raw_request)
        return raw_request.body unless raw_request['Content-Type'] == 'application/json'

        JSON.parse(raw_request.body)
      end

      # The result, and its content type where that is not JSON.
      def marshall_response(method_response)
        case method_response
        when StringIO, IO then [method_response, 'application/unknown']
        else method_response.to_json
        end
      end
    end
  end
end

module Fnd
  # FILE.METHOD, or FILE.CLASS.METHOD, where CLASS may be A::B.
  class Handler
    attr_reader :file

    def initialize(name)
      parts = name.split('.')
      unless parts.size.between?(2, 3)
        raise ArgumentError, "Invalid handler #{parts}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME corresponds with an existing " \
                             'Ruby source file FILENAME.rb, CLASS is an optional module/class namespace and METHOD is a callable method. If using CLASS, METHOD ' \
                             'must be a class-level method.'
      end
      @file, @class_name, @method = parts.size == 3 ? parts : [parts[0], nil, parts[1]]
    end

    def call(event, context)
      target = @class_name ? Kernel.const_get(@class_name) : self
      target.__send__(@method, event: event, context: context)
    end
  end

  class Runtime
    TASK_ROOT = '/var/task'

    def run
      @api = Api.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
      load_handler
      loop { serve(@api.next) }
    rescue Api::Closed
      exit!(1)
    rescue SignalException => e # between two invocations: the environment ends
      exit(e.signm == 'SIGTERM' ? 0 : 128 + e.signo)
    end

    private

    def load_handler
      $LOAD_PATH.unshift(TASK_ROOT) unless $LOAD_PATH.include?(TASK_ROOT)
      @handler = Handler.new(ENV['_HANDLER'].to_s)
      require @handler.file
    rescue Exception => e # rubocop:disable Lint/RescueException: whatever the function's own code raises, exit included
      raise if e.is_a?(SignalException)

      error = LambdaErrors.describe(e, 'Init')
      Log.error("Init error when loading handler #{ENV['_HANDLER']}", error)
      @api.init_error(error)
      exit(252)
    end

    def serve(request)
      $_global_aws_request_id = request['Lambda-Runtime-Aws-Request-Id']
      ENV['_X_AMZN_TRACE_ID'] = request['Lambda-Runtime-Trace-Id']
      body, type = answer(request)
      @api.respond($_global_aws_request_id, body, type) if body
    end

    # Of an error that leaves the process as it was the next event is asked for; of one that means broken code (AWS: NameError and NoMethodError), or
    # that no handler should catch, it ends.
    def answer(request)
      result = @handler.call(AwsLambda::Marshaller.marshall_request(request), LambdaContext.new(request))
      body, type = AwsLambda::Marshaller.marshall_response(result)
      [body.respond_to?(:read) ? body.read.to_s : body, type]
    rescue Exception => e # rubocop:disable Lint/RescueException
      raise if e.is_a?(SignalException)

      ends = !e.is_a?(StandardError) || e.is_a?(NameError)
      error = LambdaErrors.describe(e, 'Function')
      Log.error(ends ? 'Critical exception from handler' : 'Error raised from handler method', error)
      @api.error($_global_aws_request_id, error, ends)
      exit(255) if ends
    end
  end
end

Fnd::Ahead.wait if ENV['_FND_PRESTART']
Fnd::Log.set_up
Fnd::Runtime.new.run
