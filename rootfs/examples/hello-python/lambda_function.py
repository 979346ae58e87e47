# fnctl create hello --runtime python3.11 --handler lambda_function.handler --code rootfs/examples/hello-python
def handler(event, context):
    name = event.get("name", "world")
    print(f"greeting {name}")
    return {"message": f"Hello, {name}!", "request": context.aws_request_id, "remaining_ms": context.get_remaining_time_in_millis()}
