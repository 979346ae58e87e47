# frozen_string_literal: true

require 'socket'

module Fnd
  # The Runtime API (2018-06-01) over one connection.
  class Api
    class Closed < StandardError; end

    # An event: its headers by name, whatever their case, and its bytes.
    class Request
      attr_reader :body

      def initialize(headers, body)
        @headers, @body = headers, body
      end

      def [](name) = @headers[name.downcase]
    end

    BASE = '/2018-06-01/runtime'
    JSON_TYPE = 'application/json'

    def initialize(address)
      host, port = address.split(':')
      @host = address
      @socket = TCPSocket.new(host, (port || 80).to_i)
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      @socket.binmode
      @asked = false
    end

    def next
      @socket.write(message('GET', '/invocation/next')) unless @asked
      @asked = false
      status, headers, body = read
      raise Closed, "next: status #{status}" unless status == 200

      headers['content-type'] = JSON_TYPE # an event is JSON, whatever the caller called it
      Request.new(headers, body.force_encoding(Encoding::UTF_8))
    rescue SystemCallError, IOError => e
      raise Closed, e.message
    end

    # The next event is asked for in the same breath: the platform hands out both answers together.
    def respond(id, body, type = nil)
      post("/invocation/#{id}/response", body, { 'Content-Type' => type || JSON_TYPE }, true)
    end

    def error(id, error, last)
      cause = LambdaErrors.xray_cause(error)
      headers = error_headers(error)
      headers['Lambda-Runtime-Function-XRay-Error-Cause'] = cause if cause.ascii_only? && cause.bytesize < 1 << 20
      post("/invocation/#{id}/error", LambdaErrors.to_json(error), headers, !last)
    end

    def init_error(error)
      post('/init/error', LambdaErrors.to_json(error), error_headers(error), false)
    end

    private

    def error_headers(error)
      { 'Content-Type' => JSON_TYPE, 'Lambda-Runtime-Function-Error-Type' => LambdaErrors.header(error) }
    end

    def message(method, path, body = nil, headers = {})
      text = +"#{method} #{BASE}#{path} HTTP/1.1\r\nHost: #{@host}\r\n"
      headers.each { |name, value| text << name << ': ' << value << "\r\n" }
      text << "Content-Length: #{body.bytesize}\r\n" if body
      (text << "\r\n").b
    end

    def post(path, body, headers, ask)
      head = message('POST', path, body, headers)
      following = ask ? message('GET', '/invocation/next') : ''
      if body.bytesize < 65_536
        @socket.write(head << body.b << following)
      else
        @socket.write(head)
        @socket.write(body.b)
        @socket.write(following) if ask
      end
      @asked = ask
      read
    rescue SystemCallError, IOError => e
      raise Closed, e.message
    end

    # [status, {lower-case header: value}, body]
    def read
      line = @socket.gets("\r\n") or raise Closed, 'the Runtime API closed the connection'
      status = line.split(' ', 3)[1].to_i
      headers = {}
      while (line = @socket.gets("\r\n", chomp: true)) && !line.empty?
        name, value = line.split(':', 2)
        headers[name.downcase] = value.strip.force_encoding(Encoding::UTF_8)
      end
      [status, headers, headers['transfer-encoding'] == 'chunked' ? chunks : sized(headers['content-length'].to_i)]
    end

    def sized(length)
      return +'' if length.zero?

      data = @socket.read(length)
      raise Closed, 'the Runtime API closed the connection' if data.nil? || data.bytesize < length

      data
    end

    def chunks
      data = +''.b
      while (length = @socket.gets("\r\n").to_s.hex).positive?
        data << sized(length)
        @socket.gets("\r\n")
      end
      @socket.gets("\r\n")
      data
    end
  end
end
