# frozen_string_literal: true

# Where the function's output goes: descriptor 1, a pipe of which each line becomes an event of the log. What puts prints, and a record of a Logger, is
# one event however many lines it has, as on Lambda: within it a line ends with a carriage return, and before it are two bytes that no text has, for something
# may have been printed without a newline.
module Fnd
  # Stands for $stdout in a Logger.
  class Sink
    def write(text)
      text = LambdaErrors.utf8(text).chomp
      STDOUT.syswrite("\xF8\xFF".b << text.gsub(/\r?\n/, "\r").b << "\n")
    rescue SystemCallError, IOError
      nil # descriptor 1 is the function's to close
    end

    def close; end
    def reopen(*) = self
  end

  class TextFormatter < ::Logger::Formatter
    def call(severity, time, progname, msg)
      format("%s, [%s #%d] %5s %s -- %s: %s\n", severity[0], format_datetime(time), Process.pid, severity, $_global_aws_request_id, progname, LambdaErrors.utf8(msg2str(msg)))
    end
  end

  # One object a line (Developer Guide, "ruby-logging").
  class JsonFormatter < ::Logger::Formatter
    def call(severity, time, progname, msg)
      error = msg.is_a?(Exception)
      out = { timestamp: time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ'), level: severity, message: LambdaErrors.utf8(error ? msg.message : msg2str(msg)), requestId: $_global_aws_request_id }
      out[:logger] = LambdaErrors.utf8(progname) unless progname.to_s.empty?
      out.update(of_error(msg)) if error
      "#{JSON.generate(out.compact)}\n"
    end

    private

    def of_error(exception)
      trace = Array(exception.backtrace).map { |l| LambdaErrors.utf8(l) }
      place = trace.first && trace.first.match(/\A(.+):(\d+):in [`'](.+)'\z/)
      { errorType: exception.class.to_s, errorMessage: LambdaErrors.utf8(exception.message), stackTrace: trace, location: place ? "#{place[1]}:#{place[3]}:#{place[2]}" : trace.first }
    end
  end

  # A Logger of the function's that goes to its output, or nowhere, has the platform's form and level, unless it is given others.
  module LoggerDefaults
    def initialize(logdev = nil, *rest, level: nil, formatter: nil, **options)
      if logdev.nil? || logdev.equal?(STDOUT) || logdev.equal?(STDERR)
        logdev = Log.sink
        formatter ||= Log.json? ? JsonFormatter.new : nil
        @default_formatter = TextFormatter.new
        super(logdev, *rest, level: level || Log.level, formatter: formatter, **options)
        @default_formatter = TextFormatter.new
      else
        super(logdev, *rest, level: level || ::Logger::DEBUG, formatter: formatter, **options)
      end
    end
  end

  module Log
    LEVELS = { 'TRACE' => ::Logger::DEBUG, 'DEBUG' => ::Logger::DEBUG, 'INFO' => ::Logger::INFO, 'WARN' => ::Logger::WARN, 'ERROR' => ::Logger::ERROR, 'FATAL' => ::Logger::FATAL }.freeze

    class << self
      attr_reader :sink

      def set_up
        $stdout.sync = $stderr.sync = true # or a time-out would lose what is written
        @sink = Sink.new
        ::Logger.prepend(LoggerDefaults)
        sink = @sink
        Kernel.module_eval do
          define_method(:puts) do |*args|
            next $stdout.puts(*args) unless $stdout.equal?(STDOUT) # the function has put something else there

            args = [''] if args.empty?
            sink.write(args.flatten.map { |a| LambdaErrors.utf8(a) }.join("\n"))
            nil
          end
          private :puts
        end
      end

      def json? = ENV['AWS_LAMBDA_LOG_FORMAT'].to_s.casecmp?('JSON')
      def level = LEVELS.fetch(ENV['AWS_LAMBDA_LOG_LEVEL'].to_s.upcase, ::Logger::DEBUG)

      def error(what, error)
        if json?
          sink.write(JSON.generate({ timestamp: Time.now.utc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ'), level: 'ERROR', message: what, requestId: $_global_aws_request_id, **error }.compact))
        else
          sink.write(what)
          sink.write(JSON.pretty_generate(error))
        end
      end
    end
  end
end
