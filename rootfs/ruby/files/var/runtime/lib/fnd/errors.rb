# frozen_string_literal: true

# An exception as its caller sees it: {errorMessage, errorType: "Function<RuntimeError>", stackTrace}.
module LambdaErrors
  RUNTIME = %r{\A(<internal:)?/var/runtime/(lib|bootstrap)}
  FRAMES_MAX = 100
  # Those whose type the header of an error has, too; of others it says UserException.
  NAMED = %w[ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit SystemStackError].freeze

  class << self
    # origin: "Function", or "Init" for what happens while the handler is loaded.
    def describe(exception, origin)
      { errorMessage: message_of(exception), errorType: "#{origin}<#{exception.class}>", stackTrace: frames(exception) }
    end

    def to_json(error) = JSON.generate(error)

    def header(error)
      NAMED.include?(error[:errorType][/<(.*)>/, 1]) ? error[:errorType] : 'Function<UserException>'
    end

    # For X-Ray's segment of the invocation.
    def xray_cause(error)
      stack = error[:stackTrace].first(15).map do |line|
        path, number, label = line.match(/\A(.*?):(\d+):in [`'](.*)'\z/)&.captures
        { path: path || line, line: number.to_i, label: label.to_s }
      end
      JSON.generate({ working_directory: Dir.pwd, paths: Gem.paths.path, exceptions: [{ message: error[:errorMessage], type: error[:errorType], stack: stack }] }, ascii_only: true)
    end

    def utf8(text)
      text = text.to_s
      text = text.dup.force_encoding(Encoding::UTF_8) if text.encoding == Encoding::BINARY
      text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
    end

    private

    def message_of(exception)
      utf8(exception.message)
    rescue StandardError # one that fails must not take the runtime with it
      "<#{exception.class} whose message fails>"
    end

    # Down to the runtime's own.
    def frames(exception)
      lines = (exception.backtrace || []).first(FRAMES_MAX).map { |l| utf8(l) }
      lines.take_while { |l| !l.match?(RUNTIME) }
    end
  end
end
