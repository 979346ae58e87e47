# frozen_string_literal: true

module Fnd
  # Begun before there was a function (fnd's lib/sandbox/spec.h has the protocol): loads what is not the function's, waits for its environment. What the
  # function finds is what it finds where the runtime was begun for it.
  module Ahead
    PRELOADED = %w[time set].freeze # what most handlers and gems want

    class << self
      def wait
        name = File.read('/proc/self/comm').chomp
        channel = IO.for_fd(ENV['_FND_PRESTART'].to_i, 'r+b')
        channel.sync = true
        PRELOADED.each { |m| require m }
        warm_up
        memory = File.open('/proc/self/mem', 'wb')
        from, to = place_of_environment
        ENV.clear # away from where the process was begun with it, and /proc/self/environ shows it
        comm('fn-ready')
        channel.write('!')
        environment = take(channel, take(channel, 4).unpack1('L'))
        channel.close
        comm(name)
        environment.split("\0").each do |entry|
          key, _, value = entry.partition('=')
          ENV[key] = value.force_encoding(Encoding::UTF_8)
        end
        show(memory, environment, from, to)
        Dir.chdir('/var/task')
        Gem.clear_paths # what it says of directories was true of another root
        srand # nobody's random numbers are another's
      end

      private

      # Code that is run once is found by the next to run it: a JSON document there and back.
      def warm_up
        JSON.parse('{"a": [1, 2.5, "\u00e4", null, true]}').to_json
      end

      def place_of_environment
        File.read('/proc/self/stat').sub(/.*\) /m, '').split.values_at(47, 48).map(&:to_i)
      end

      def show(memory, environment, from, to)
        if environment.bytesize <= to - from # nothing points there any more
          memory.sysseek(from)
          memory.syswrite(environment.ljust(to - from, "\0"))
        end
        memory.close
      end

      def take(channel, size)
        data = channel.read(size)
        exit!(0) if data.nil? || data.bytesize < size # never needed
        data
      end

      def comm(name) = File.write('/proc/self/comm', name)
    end
  end
end
