"""Ruby's web frameworks in ruby3.3, behind a handler that makes Rack's environment of API Gateway's events, as AWS's samples have it."""
import json

from cases import Case, request

RACK = """# frozen_string_literal: true

$LOAD_PATH.unshift("#{ENV['LAMBDA_TASK_ROOT']}/vendor/lib")
require 'json'
require 'stringio'
require_relative 'app'

def handler(event:, context:)
  body = event['body'] || ''
  env = { 'REQUEST_METHOD' => event['httpMethod'], 'SCRIPT_NAME' => '', 'PATH_INFO' => event['path'], 'QUERY_STRING' => Rack::Utils.build_query(event['queryStringParameters'] || {}),
          'SERVER_NAME' => 'localhost', 'SERVER_PORT' => '443', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'CONTENT_LENGTH' => body.bytesize.to_s, 'rack.url_scheme' => 'https',
          'rack.input' => StringIO.new(body.b), 'rack.errors' => $stderr }
  (event['headers'] || {}).each do |name, value|
    name = name.upcase.tr('-', '_')
    env[name == 'CONTENT_TYPE' ? name : "HTTP_#{name}"] = value
  end
  status, headers, answer = APP.call(env)
  text = +''
  answer.each { |part| text << part.to_s }
  answer.close if answer.respond_to?(:close)
  { statusCode: status, headers: headers.to_h, body: text }
end
"""
SINATRA = """# frozen_string_literal: true

require 'sinatra/base'

class App < Sinatra::Base
  set :host_authorization, permitted_hosts: []
  set :show_exceptions, false

  get '/hello/:name' do
    content_type :json
    { text: "hello #{params['name']}#{params['end']}", length: params['name'].length }.to_json
  end

  post '/sum' do
    { sum: JSON.parse(request.body.read).sum }.to_json
  end
end
APP = App.new
"""
RAILS = """# frozen_string_literal: true

require 'rails'
require 'action_controller/railtie'

class App < Rails::Application
  config.load_defaults 7.2
  config.root = __dir__
  config.eager_load = true
  config.secret_key_base = 'x' * 64
  config.logger = ActiveSupport::Logger.new($stdout)
  config.cache_store = :memory_store
  routes.append do
    get '/hello/:name' => 'hello#show'
    post '/sum' => 'hello#sum'
  end
end

class HelloController < ActionController::API
  def show = render(json: { text: "hello #{params[:name]}#{params[:end]}", length: params[:name].length })
  def sum = render(json: { sum: params[:_json].sum })
end
App.initialize!
APP = App
"""
EVENTS = [request("GET", "/hello/you", {"end": "?"}), request("POST", "/sum", body="[1,2,3]"), request("GET", "/nowhere")]


def answered(answers, log):
    assert [a["statusCode"] for a in answers] == [200, 200, 404], answers
    assert json.loads(answers[0]["body"]) == {"text": "hello you?", "length": 3} and json.loads(answers[1]["body"]) == {"sum": 6}, answers


def rails(answers, log):
    answered(answers, log)
    assert "Processing by HelloController#show as JSON" in log, log[-1500:]


CASES = [
    Case("Sinatra", "debian", ["ruby-sinatra"], "ruby3.3", "lambda.handler", {"lambda.rb": RACK, "app.rb": SINATRA}, answered, events=EVENTS),
    Case("Rails", "debian", ["ruby-railties"], "ruby3.3", "lambda.handler", {"lambda.rb": RACK, "app.rb": RAILS}, rails, events=EVENTS, env={"RAILS_ENV": "production"}, memory=1024),
]
