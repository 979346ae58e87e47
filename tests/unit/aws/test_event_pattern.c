/* Event patterns: what matches, what does not, what is refused and in which words. */
#include "aws/event_pattern.h"

#include <errno.h>
#include <string.h>

#include "aws/event_filter.h"
#include "base/clock.h"
#include "unit/main.h"

/* matches and others: JSON values, one after the other, to be matched and not to be. */
static const struct vector {
	const char *pattern, *matches, *others;
} vectors[] = {
	/* plain values */
	{"{'a':['x']}", "{'a':'x'} {'a':'x','b':1} {'a':['y','x']} {'a':[['x']]} {'a':[{'b':1},'x']}", "{} [] 'x' 1 null {'a':'X'} {'a':'xy'} {'a':''} {'a':1} {'a':null} {'a':{}} {'a':[]} {'a':{'x':1}} {'A':'x'} {'a':[{'a':'x'}]}"},
	{"{'a':['x','y',1]}", "{'a':'x'} {'a':'y'} {'a':1}", "{'a':'1'} {'a':2} {'a':true}"},
	{"{'a':['']}", "{'a':''} {'a':['']}", "{'a':null} {'a':' '} {} {'a':[]}"},
	{"{'a':[300]}", "{'a':300} {'a':300.0} {'a':3.0e2}", "{'a':'300'} {'a':301} {'a':300.5} {'a':-300}"},
	{"{'a':[9007199254740993]}", "{'a':9007199254740993}", "{'a':9007199254740992} {'a':9007199254740994}"},
	{"{'a':[-1.5]}", "{'a':-1.5} {'a':-15e-1}", "{'a':1.5} {'a':-1}"},
	{"{'a':[true]}", "{'a':true} {'a':[false,true]}", "{'a':false} {'a':'true'} {'a':1}"},
	{"{'a':[false]}", "{'a':false}", "{'a':true} {'a':null} {'a':0} {}"},
	{"{'a':[null]}", "{'a':null} {'a':[null]}", "{'a':'null'} {'a':''} {} {'a':[]} {'a':{}} {'a':false}"},
	/* fields are ANDed, however deep; what is not named is ignored */
	{"{'a':['x'],'b':['y']}", "{'a':'x','b':'y'}", "{'a':'x'} {'b':'y'} {'a':'x','b':'x'}"},
	{"{'a':{'b':{'c':[1]}}}", "{'a':{'b':{'c':1}}} {'a':{'b':[{'c':2},{'c':1}]}} {'a':[[{'b':{'c':1}}]]}", "{'a':{'b':1}} {'a':{'b':{'c':2}}} {'a':{'c':1}} {'a':1}"},
	{"{'a':{'b':[1],'c':[2]}}", "{'a':{'b':1,'c':2}}", "{'a':{'b':1}} {'a':{'b':1,'c':3}}"},
	/* one element of an array has all of it */
	{"{'a':{'b':[1],'c':[2]}}", "{'a':[{'b':9},{'b':1,'c':2}]}", "{'a':[{'b':1},{'c':2}]} {'a':[{'b':1,'c':3},{'b':3,'c':2}]} {'a':[1,2]} {'a':[]}"},
	{"{'a':{'b':{'c':[1]},'d':[2]}}", "{'a':[{'b':[{'c':0},{'c':1}],'d':2}]}", "{'a':[{'b':[{'c':1}],'d':1},{'b':[{'c':0}],'d':2}]}"},
	{"{'a':{'b':[1]},'d':{'b':[2]}}", "{'a':[{'b':1}],'d':[{'b':2}]}", "{'a':[{'b':1}],'d':[{'b':1}]}"},
	/* names with dots, on either side */
	{"{'a.b':[1]}", "{'a':{'b':1}} {'a.b':1} {'a':[{'b':1}]}", "{'a':{'b':2}} {'a.b':2} {'a.c':1} {'b':1}"},
	{"{'a':{'b':{'c':[1]}}}", "{'a.b.c':1} {'a':{'b.c':1}} {'a.b':{'c':1}}", "{'a.b.c.d':1} {'a.bc':1} {'a.b':1}"},
	{"{'a.b':[1],'a':{'c':[2]}}", "{'a':{'b':1,'c':2}} {'a':[{'b':1,'c':2}]}", "{'a':{'b':1}} {'a':[{'b':1},{'c':2}]}"},
	{"{'detail-type':['T'],'detail':{'x.y':['1']}}", "{'detail-type':'T','detail':{'x':{'y':'1'}}}", "{'detail-type':'T','detail':{'x':{'z':'1'}}}"},
	{"{'a':['x'],'a.b':['y']}", "{'a':['x',{'b':'y'}]}", "{'a':'x'} {'a':{'b':'y'}}"},
	/* prefix, suffix */
	{"{'a':[{'prefix':'us-'}]}", "{'a':'us-east-1'} {'a':'us-'} {'a':['eu','us-1']}", "{'a':'US-east'} {'a':'us'} {'a':' us-'} {'a':1} {'a':null} {}"},
	{"{'a':[{'prefix':''}]}", "{'a':''} {'a':'x'}", "{'a':1} {'a':null} {}"},
	{"{'a':[{'prefix':{'equals-ignore-case':'ev'}}]}", "{'a':'EventBridge'} {'a':'ev'} {'a':'eVx'}", "{'a':'e'} {'a':'x ev'}"},
	{"{'a':[{'suffix':'.png'}]}", "{'a':'x.png'} {'a':'.png'}", "{'a':'x.PNG'} {'a':'png'} {'a':'x.png.gz'}"},
	{"{'a':[{'suffix':''}]}", "{'a':''} {'a':'x'}", "{'a':1}"},
	{"{'a':[{'suffix':{'equals-ignore-case':'.png'}}]}", "{'a':'x.PnG'} {'a':'.png'}", "{'a':'png'} {'a':'.png '}"},
	{"{'a':[{'suffix':{'equals-ignore-case':'\u00c4b'}}]}", "{'a':'x\u00e4B'} {'a':'\u00c4b'}", "{'a':'b'} {'a':'ab'}"},
	/* equals-ignore-case */
	{"{'a':[{'equals-ignore-case':'alice'}]}", "{'a':'Alice'} {'a':'aLICE'}", "{'a':'alices'} {'a':'alic'} {'a':''} {'a':1}"},
	{"{'a':[{'equals-ignore-case':'\u00c4\u0416\u03a3'}]}", "{'a':'\u00e4\u0436\u03c3'} {'a':'\u00c4\u0436\u03a3'}", "{'a':'a\u0436\u03c3'}"},
	{"{'a':[{'equals-ignore-case':''}]}", "{'a':''}", "{'a':' '} {'a':null}"},
	/* wildcard */
	{"{'a':[{'wildcard':'*/bin/*'}]}", "{'a':'/bin/'} {'a':'/usr/bin/ls'}", "{'a':'bin'} {'a':'/bin'}"},
	{"{'a':[{'wildcard':'a*b*c'}]}", "{'a':'abc'} {'a':'axxbxxbc'} {'a':'abcbc'}", "{'a':'ac'} {'a':'abcd'} {'a':'xabc'} {'a':'acb'}"},
	{"{'a':[{'wildcard':'*'}]}", "{'a':''} {'a':'x'}", "{'a':1} {}"},
	{"{'a':[{'wildcard':''}]}", "{'a':''}", "{'a':'x'}"},
	{"{'a':[{'wildcard':'a*'}]}", "{'a':'a'} {'a':'ab'}", "{'a':''} {'a':'ba'}"},
	{"{'a':[{'wildcard':'*a'}]}", "{'a':'a'} {'a':'ba'} {'a':'aa'}", "{'a':''} {'a':'ab'}"},
	{"{'a':[{'wildcard':'aba*aba'}]}", "{'a':'abaaba'} {'a':'aba.aba'}", "{'a':'aba'} {'a':'ababa'}"},
	{"{'a':[{'wildcard':'a\\\\*b\\\\\\\\*'}]}", "{'a':'a*b\\\\'} {'a':'a*b\\\\x'}", "{'a':'axb\\\\'} {'a':'a*b'}"},
	{"{'a':[{'wildcard':'no star'}]}", "{'a':'no star'}", "{'a':'no star '} {'a':'xno star'}"},
	/* numeric */
	{"{'a':[{'numeric':['=',5]}]}", "{'a':5} {'a':5.0}", "{'a':'5'} {'a':5.1}"},
	{"{'a':[{'numeric':['>',0]}]}", "{'a':0.001} {'a':1e300}", "{'a':0} {'a':-1} {'a':'1'} {'a':null}"},
	{"{'a':[{'numeric':['>=',0]}]}", "{'a':0} {'a':-0.0}", "{'a':-1e-300}"},
	{"{'a':[{'numeric':['<',0]}]}", "{'a':-1}", "{'a':0}"},
	{"{'a':[{'numeric':['<=',0]}]}", "{'a':0} {'a':-1}", "{'a':1}"},
	{"{'a':[{'numeric':['>',0,'<=',5]}]}", "{'a':1} {'a':5} {'a':[9,3]}", "{'a':0} {'a':5.5} {'a':[0,6]}"},
	{"{'a':[{'numeric':['>=',-1.5,'<',1e2]}]}", "{'a':-1.5} {'a':99.9}", "{'a':100} {'a':-1.6}"},
	{"{'a':[{'numeric':['>',9007199254740992,'<',9007199254740994]}]}", "{'a':9007199254740993}", "{'a':9007199254740992} {'a':9007199254740994}"},
	/* cidr */
	{"{'a':[{'cidr':'10.0.0.0/24'}]}", "{'a':'10.0.0.0'} {'a':'10.0.0.255'}", "{'a':'10.0.1.0'} {'a':'10.0.0'} {'a':'::1'} {'a':'x'} {'a':10}"},
	{"{'a':[{'cidr':'10.0.0.0/25'}]}", "{'a':'10.0.0.127'}", "{'a':'10.0.0.128'}"},
	{"{'a':[{'cidr':'0.0.0.0/0'}]}", "{'a':'255.1.2.3'}", "{'a':'::'} {'a':''}"},
	{"{'a':[{'cidr':'10.1.2.3/32'}]}", "{'a':'10.1.2.3'}", "{'a':'10.1.2.2'}"},
	{"{'a':[{'cidr':'2001:db8::/33'}]}", "{'a':'2001:db8::1'} {'a':'2001:DB8:7fff::'}", "{'a':'2001:db8:8000::'} {'a':'10.0.0.1'}"},
	/* exists */
	{"{'a':[{'exists':true}]}", "{'a':null} {'a':''} {'a':0} {'a':[1]} {'a':[[false]]}", "{} {'a':[]} {'a':{}} {'a':{'b':1}} {'a':[[]]} {'a':[{}]} {'b':1}"},
	{"{'a':[{'exists':false}]}", "{} {'a':[]} {'a':{}} {'a':{'b':1}} {'b':1} 1 []", "{'a':null} {'a':1} {'a':['x']}"},
	{"{'a':{'b':[{'exists':false}]}}", "{} {'a':1} {'a':{}} {'a':{'c':1}} {'a':[]} {'a':[{'c':1}]} {'a':[1]}", "{'a':{'b':1}} {'a':[{'b':1}]} {'a':[{'b':1},{'c':1}]} {'a':[[{'b':null}]]}"},
	{"{'a':{'b':[{'exists':false}],'c':[1]}}", "{'a':{'c':1}} {'a':[{'b':1},{'c':1}]}", "{'a':{'b':1,'c':1}} {} {'a':[{'b':1,'c':1}]}"},
	{"{'a':['x',{'exists':false}]}", "{'a':'x'} {} {'b':1}", "{'a':'y'} {'a':null}"},
	{"{'a':[{'exists':false}],'b':[1]}", "{'b':1}", "{'a':1,'b':1} {}"},
	/* anything-but */
	{"{'a':[{'anything-but':'x'}]}", "{'a':'y'} {'a':''} {'a':null} {'a':1} {'a':true} {'a':['x','y']}", "{'a':'x'} {} {'a':[]} {'a':{}} {'a':['x','x']}"},
	{"{'a':[{'anything-but':5}]}", "{'a':6} {'a':'5'} {'a':null}", "{'a':5} {'a':5.0} {}"},
	{"{'a':[{'anything-but':['x','y']}]}", "{'a':'z'} {'a':1} {'a':['x','z']}", "{'a':'x'} {'a':'y'} {'a':['x','y']}"},
	{"{'a':[{'anything-but':[1,2.5]}]}", "{'a':3} {'a':'1'}", "{'a':1} {'a':2.5}"},
	{"{'a':[{'anything-but':{'prefix':'init'}}]}", "{'a':'in'} {'a':1} {'a':null}", "{'a':'init'} {'a':'initial'} {}"},
	{"{'a':[{'anything-but':{'prefix':['a','b']}}]}", "{'a':'c'}", "{'a':'ax'} {'a':'bx'}"},
	{"{'a':[{'anything-but':{'suffix':'.txt'}}]}", "{'a':'x.png'}", "{'a':'x.txt'}"},
	{"{'a':[{'anything-but':{'suffix':['.txt','.rtf']}}]}", "{'a':'x.png'}", "{'a':'x.txt'} {'a':'x.rtf'}"},
	{"{'a':[{'anything-but':{'equals-ignore-case':'On'}}]}", "{'a':'off'}", "{'a':'ON'} {'a':'on'}"},
	{"{'a':[{'anything-but':{'equals-ignore-case':['a','b']}}]}", "{'a':'c'}", "{'a':'A'} {'a':'B'}"},
	{"{'a':[{'anything-but':{'wildcard':'*/lib/*'}}]}", "{'a':'/usr/bin'}", "{'a':'/usr/lib/x'}"},
	{"{'a':[{'anything-but':{'wildcard':['*.a','*.b']}}]}", "{'a':'x.c'}", "{'a':'x.a'} {'a':'x.b'}"},
	{"{'a':[{'anything-but':{'prefix':{'equals-ignore-case':'no'}}}]}", "{'a':'yes'}", "{'a':'NOpe'}"},
	/* $or */
	{"{'$or':[{'a':[1]},{'b':[2]}]}", "{'a':1} {'b':2} {'a':1,'b':2}", "{'a':2,'b':1} {}"},
	{"{'c':[3],'$or':[{'a':[1]},{'b':[2]}]}", "{'a':1,'c':3} {'b':2,'c':3}", "{'a':1} {'c':3}"},
	{"{'x':{'$or':[{'a':[1]},{'b':[2],'c':[3]}]}}", "{'x':{'a':1}} {'x':{'b':2,'c':3}} {'x':[{'a':0},{'a':1}]}", "{'x':{'b':2}} {'a':1} {'x':[{'b':2},{'c':3}]}"},
	{"{'$or':[{'a':[1]},{'$or':[{'b':[2]},{'c':[3]}]}]}", "{'a':1} {'b':2} {'c':3}", "{'a':3}"},
	{"{'$or':[{'a':[{'exists':false}]},{'b':[1]}]}", "{} {'a':1,'b':1}", "{'a':1}"},
	{"{'$or':[1,2]}", "{'$or':1}", "{} {'$or':3}"},                                                    /* a field of that name */
	{"{'$or':[{'prefix':'a'},{'suffix':'b'}]}", "{'$or':'ax'} {'$or':'xb'}", "{} {'$or':'x'}"},
	{"{'$or':['x']}", "{'$or':'x'}", "{}"},
	/* a real one */
	{"{'source':['aws.ec2'],'detail-type':['EC2 Instance State-change Notification'],'detail':{'state':[{'anything-but':'running'}],'instance-id':[{'prefix':'i-'}],'c':[{'numeric':['>',0]}]}}",
	 "{'source':'aws.ec2','detail-type':'EC2 Instance State-change Notification','detail':{'state':'stopped','instance-id':'i-1','c':1}}",
	 "{'source':'aws.ec2','detail-type':'EC2 Instance State-change Notification','detail':{'state':'running','instance-id':'i-1','c':1}}"},
};

static const struct {
	const char *pattern, *why;
} refusals[] = {
	{"[]", "Filter is not an object"},
	{"'x'", "Filter is not an object"},
	{"{}", "Empty objects are not allowed"},
	{"{'a':{}}", "Empty objects are not allowed"},
	{"{'a':[]}", "Empty arrays are not allowed"},
	{"{'a':'x'}", "\"a\" must be an object or an array"},
	{"{'a':{'b':1}}", "\"b\" must be an object or an array"},
	{"{'a':[[1]]}", "Match value must be String, number, true, false, or null"},
	{"{'a':[{'suffxi':'x'}]}", "Unrecognized match type suffxi"},
	{"{'a':[{'prefix':'x','suffix':'y'}]}", "Only one key allowed in match expression"},
	{"{'a':[{}]}", "Empty objects are not allowed"},
	{"{'a':[{'prefix':1}]}", "prefix match pattern must be a string"},
	{"{'a':[{'prefix':{'x':'y'}}]}", "Unsupported prefix pattern: x"},
	{"{'a':[{'prefix':{'equals-ignore-case':1}}]}", "equals-ignore-case match pattern must be a string"},
	{"{'a':[{'suffix':null}]}", "suffix match pattern must be a string"},
	{"{'a':[{'equals-ignore-case':['x']}]}", "equals-ignore-case match pattern must be a string"},
	{"{'a':[{'wildcard':5}]}", "wildcard match pattern must be a string"},
	{"{'a':[{'wildcard':'a**b'}]}", "Consecutive wildcard characters at pos 1"},
	{"{'a':[{'wildcard':'a\\\\b'}]}", "Invalid escape character at pos 1"},
	{"{'a':[{'wildcard':'a\\\\'}]}", "Invalid escape character at pos 1"},
	{"{'a':[{'numeric':5}]}", "Value of numeric must be an array."},
	{"{'a':[{'numeric':[]}]}", "Empty arrays are not allowed"},
	{"{'a':[{'numeric':['>',0,'>',1]}]}", "Bad numeric range operator: >"},
	{"{'a':[{'numeric':['=',0,'<',1]}]}", NULL},
	{"{'a':[{'numeric':['<',0,'>',1]}]}", NULL},
	{"{'a':[{'numeric':['>',0,'<',1,'<',2]}]}", "Too many terms in numeric range expression"},
	{"{'a':[{'numeric':['!',0]}]}", "Unrecognized numeric range operator: !"},
	{"{'a':[{'numeric':['>','0']}]}", "Value of > must be numeric"},
	{"{'a':[{'numeric':['>']}]}", "Value of > must be numeric"},
	{"{'a':[{'numeric':[1,2]}]}", NULL},
	{"{'a':[{'numeric':['>',5,'<',5]}]}", "Bottom must be less than top"},
	{"{'a':[{'cidr':'10.0.0.0'}]}", "Malformed CIDR, one '/' required"},
	{"{'a':[{'cidr':'10.0.0.0/8/9'}]}", "Malformed CIDR, one '/' required"},
	{"{'a':[{'cidr':'10.0.0/8'}]}", "Nonstandard IP address: 10.0.0"},
	{"{'a':[{'cidr':'10.0.0.0/33'}]}", NULL},
	{"{'a':[{'cidr':'10.0.0.0/x'}]}", NULL},
	{"{'a':[{'cidr':1}]}", "cidr match pattern must be a string"},
	{"{'a':[{'exists':'true'}]}", "exists match pattern must be either true or false."},
	{"{'a':[{'anything-but':[null]}]}", "Inside anything but list, start|null|boolean is not supported."},
	{"{'a':[{'anything-but':['x',true]}]}", "Inside anything but list, start|null|boolean is not supported."},
	{"{'a':[{'anything-but':[{'prefix':'x'}]}]}", "Inside anything but list, start|null|boolean is not supported."},
	{"{'a':[{'anything-but':['x',1]}]}", NULL},
	{"{'a':[{'anything-but':[]}]}", "Empty arrays are not allowed"},
	{"{'a':[{'anything-but':null}]}", "Value of anything-but must be an array or single string/number value."},
	{"{'a':[{'anything-but':{'cidr':'10.0.0.0/8'}}]}", "Unsupported anything-but pattern: cidr"},
	{"{'a':[{'anything-but':{'prefix':'x','suffix':'y'}}]}", "Only one key allowed in match expression"},
	{"{'$or':[{'a':[1]},{}]}", "Empty objects are not allowed"},
	{"{'$or':[]}", "Empty arrays are not allowed"},
	{"{'$or':[{'a':[1]}]}", "Unrecognized match type a"},
	{"{'a':", NULL},
	{"", NULL},
};

/* ' for ", for reading's sake */
static char *unquoted(const char *text)
{
	char *s = strdup(text);

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	return s;
}

static void check_all(const struct vector *v, const struct fn_event_pattern *p, const char *events, bool expected)
{
	char *text = unquoted(events);
	size_t at = 0, len = strlen(text);

	while (at < len) {
		json_error_t e;
		json_t *event = json_loadb(text + at, len - at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &e);

		ck_assert_msg(event != NULL, "%s: %s", text + at, e.text);
		ck_assert_msg(fn_event_pattern_matches(p, event) == expected, "%s %s %.*s", v->pattern, expected ? "does not match" : "matches", (int)e.position, text + at);
		at += (size_t)e.position;
		at += strspn(text + at, " ");
		json_decref(event);
	}
	free(text);
}

START_TEST(what_matches)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char *text = unquoted(vectors[i].pattern);
		struct fn_event_pattern *p = NULL;
		struct fn_buf why = {0};

		ck_assert_msg(fn_event_pattern_compile(text, strlen(text), &p, &why) == 0, "%s: %s", text, why.data);
		check_all(&vectors[i], p, vectors[i].matches, true);
		check_all(&vectors[i], p, vectors[i].others, false);
		fn_event_pattern_free(p);
		free(text);
	}
}
END_TEST

START_TEST(what_is_refused)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char *text = unquoted(refusals[i].pattern);
		struct fn_event_pattern *p = NULL;
		struct fn_buf why = {0};

		ck_assert_msg(fn_event_pattern_compile(text, strlen(text), &p, &why) == -EINVAL, "%s", text);
		ck_assert(p == NULL && why.len > 0);
		if (refusals[i].why)
			ck_assert_str_eq(why.data, refusals[i].why);
		fn_buf_free(&why);
		free(text);
	}
}
END_TEST

/* A pattern made to be slow against a text made for it. */
START_TEST(time_is_bounded)
{
	static char pattern[4096], text[1 << 20];
	struct fn_event_pattern *p;
	uint64_t began = fn_clock_mono_us();
	json_t *event;

	strcpy(pattern, "{\"a\":[{\"wildcard\":\"*");
	for (int i = 0; i < 180; i++)
		strcat(pattern, "aaaaaaaaaaaaaaaaaaaab*");
	strcpy(pattern + strlen(pattern) - 1, "\"}]}");
	ck_assert_int_eq(fn_event_pattern_compile(pattern, strlen(pattern), &p, NULL), 0);
	memset(text, 'a', sizeof(text) - 1);
	event = json_pack("{s:s}", "a", text);
	ck_assert(!fn_event_pattern_matches(p, event));
	ck_assert_uint_lt(fn_clock_mono_us() - began, 5000000);
	json_decref(event);
	fn_event_pattern_free(p);
}
END_TEST

/* --- FilterCriteria --- */
static const struct {
	const char *filters; /* patterns, one after the other, with | between */
	const char *body, *record;
	bool is;
} filtered[] = {
	{"{'body':{'a':[1]}}", "{'a':1}", "{}", true},
	{"{'body':{'a':[1]}}", "{'a':2}", "{}", false},
	{"{'body':{'a':[1]}}", " [{'a':1}] ", "{}", true},
	{"{'body':{'a':[1]}}", "text", "{}", false},
	{"{'body':{'a':[{'exists':false}]}}", "{}", "{}", true},
	{"{'body':{'a':[{'exists':false}]}}", "text", "{}", false}, /* the other kind */
	{"{'body':{'a':[{'exists':false}]}}", "5", "{}", false},
	{"{'body':['text']}", "text", "{}", true},
	{"{'body':['text']}", "texts", "{}", false},
	{"{'body':[{'prefix':'te'}]}", "text", "{}", true},
	{"{'body':[{'anything-but':'x'}]}", "text", "{}", true},
	{"{'body':[{'anything-but':'x'}]}", "{'a':1}", "{}", false},
	{"{'body':[{'exists':false}]}", "{'a':1}", "{}", false},
	{"{'body':[{'anything-but':'x'}]}", "['y']", "{}", false},
	{"{'body':['5']}", "5", "{}", true}, /* text, as it is no object */
	{"{'body':['{broken']}", "{broken", "{}", true},
	{"{'body':{'a':['x\\u0000']}}|{'body':{'b':[1]}}", "{'a':1,'b':1}", "{}", true},
	{"{'body':{'a':[1]}}|{'body':['text']}", "text", "{}", true},
	{"{'body':{'a':[1]}}|{'body':['text']}", "{'a':1}", "{}", true},
	{"{'body':{'a':[1]}}|{'body':['text']}", "other", "{}", false},
	{"{'messageAttributes':{'kind':{'stringValue':['x']}}}", "whatever", "{'messageAttributes':{'kind':{'stringValue':'x','dataType':'String'}}}", true},
	{"{'messageAttributes':{'app.kind':{'stringValue':['x']}}}", "{}", "{'messageAttributes':{'app.kind':{'stringValue':'x'}}}", true},
	{"{'messageAttributes':{'kind':{'stringValue':['x']}}}", "whatever", "{'messageAttributes':{}}", false},
	{"{'attributes':{'MessageGroupId':[{'prefix':'g'}]},'body':{'a':[1]}}", "{'a':1}", "{'attributes':{'MessageGroupId':'g1'}}", true},
	{"{'attributes':{'MessageGroupId':[{'prefix':'g'}]},'body':{'a':[1]}}", "{'a':1}", "{'attributes':{'MessageGroupId':'h'}}", false},
	{"{'$or':[{'body':{'a':[{'exists':false}]}},{'messageId':['1']}]}", "text", "{'messageId':'1'}", true},
	{"{'$or':[{'body':{'a':[{'exists':false}]}},{'messageId':['1']}]}", "text", "{'messageId':'2'}", false},
	{"{'body.a':[1]}", "{'a':1}", "{}", true},
	{"{'body':{'n':[{'exists':true}]}}", "{'n':'\\u0000'}", "{}", true},
	{"{'body':{'type':['x']}}", "{'type':'x','id':18446744073709551615}", "{}", true},
	{"{'body':{'type':['x']}}", "{'type':'x','f':1e400,'s':'\\ud800','k\\u0000':1}", "{}", true},
};

static json_t *criteria_of(const char *filters)
{
	char *text = unquoted(filters), *save = NULL;
	json_t *list = json_array();

	for (char *one = strtok_r(text, "|", &save); one; one = strtok_r(NULL, "|", &save))
		json_array_append_new(list, json_pack("{s:s}", "Pattern", one));
	free(text);
	return json_pack("{s:o}", "Filters", list);
}

START_TEST(filters)
{
	struct fn_event_filter *f;
	json_t *c;

	for (size_t i = 0; i < sizeof(filtered) / sizeof(filtered[0]); i++) {
		char *body = unquoted(filtered[i].body), *text = unquoted(filtered[i].record);
		json_t *record = json_loads(text, 0, NULL);
		int r;

		c = criteria_of(filtered[i].filters);
		r = fn_event_filter_compile(c, "body", &f);
		if (strstr(filtered[i].filters, "\\u0000")) { /* no pattern has a NUL */
			ck_assert_int_eq(r, -EINVAL);
		} else {
			ck_assert_int_eq(r, 0);
			ck_assert_int_eq(fn_event_filter_wants_content(f), strstr(filtered[i].filters, "body") != NULL);
			ck_assert_msg(fn_event_filter_matches(f, record, body, strlen(body)) == filtered[i].is, "%s: %s", filtered[i].filters, body);
			fn_event_filter_free(f);
		}
		json_decref(record);
		json_decref(c);
		free(body);
		free(text);
	}
	c = criteria_of("");
	ck_assert(fn_event_filter_compile(c, "body", &f) == 0 && !f && fn_event_filter_matches(f, NULL, "", 0));
	json_decref(c);
	ck_assert(fn_event_filter_compile(NULL, "body", &f) == 0 && !f);
	c = criteria_of("{'a':[1]}|{'a':[]}");
	ck_assert_int_eq(fn_event_filter_compile(c, "body", &f), -EINVAL);
	json_decref(c);
	c = criteria_of("{'a':[1]}|{'a':[1]}|{'a':[1]}|{'a':[1]}|{'a':[1]}|{'a':[1]}|{'a':[1]}|{'a':[1]}|{'a':[1]}|{'a':[1]}|{'a':[1]}");
	ck_assert_int_eq(fn_event_filter_compile(c, "body", &f), -EINVAL);
	json_decref(c);
}
END_TEST

TEST_MAIN("aws/event_pattern", what_matches, what_is_refused, time_is_bounded, filters)
