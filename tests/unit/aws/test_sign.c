/* Headers of signed requests: AWS's examples are in test_sigv4.c and image/test_s3.c; here, that what is sent is what was signed. */
#include "aws/sign.h"

#include <string.h>

#include "unit/main.h"

/* The signature of botocore 1.43 (SigV4Auth) for the same request of 127.0.0.1:9324, 2015-08-30T12:36:00Z. */
START_TEST(as_botocore_signs)
{
	const struct fn_aws_credentials c = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "tok/en="};
	struct fn_aws_signing s = {.method = "POST", .host = "127.0.0.1:9324", .path = "/a%20b", .query = "", .region = "eu-west-1", .service = "sqs", .target = "AmazonSQS.DeleteMessage"};
	char hash[65], date[FN_AWS_DATE_SIZE];
	struct fn_buf b = {0};

	fn_aws_date(1440938160ull * 1000000u, date);
	ck_assert_str_eq(date, "20150830T123600Z");
	fn_sigv4_sha256("{}", 2, hash);
	s.payload_sha256 = hash;
	s.amz_date = date;
	ck_assert_int_eq(fn_aws_sign(&c, &s, &b), 0);
	ck_assert_str_eq(b.data, "x-amz-date: 20150830T123600Z\nX-Amz-Target: AmazonSQS.DeleteMessage\nx-amz-security-token: tok/en=\n"
				 "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/sqs/aws4_request, "
				 "SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target, Signature=8ae460adb5bb8a27dc09633c26c5a8af1f95c6d305dad0f20e9d0c29905d1981\n");
	fn_buf_free(&b);
}
END_TEST

TEST_MAIN("aws/sign", as_botocore_signs)
