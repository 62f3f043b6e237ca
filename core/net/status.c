/* Reason phrases (RFC 9110, 15; RFC 6585; RFC 4918 for 507). */
#include "core/net/status.h"

pl_str pl__status_line(int status, char buf[16])
{
#define CASE(number, phrase)                                                                       \
    case number:                                                                                   \
        return PL_STR(#number " " phrase)
    switch (status) {
        CASE(200, "OK");
        CASE(201, "Created");
        CASE(202, "Accepted");
        CASE(204, "No Content");
        CASE(206, "Partial Content");
        CASE(301, "Moved Permanently");
        CASE(302, "Found");
        CASE(303, "See Other");
        CASE(304, "Not Modified");
        CASE(307, "Temporary Redirect");
        CASE(308, "Permanent Redirect");
        CASE(400, "Bad Request");
        CASE(401, "Unauthorized");
        CASE(403, "Forbidden");
        CASE(404, "Not Found");
        CASE(405, "Method Not Allowed");
        CASE(406, "Not Acceptable");
        CASE(408, "Request Timeout");
        CASE(409, "Conflict");
        CASE(410, "Gone");
        CASE(411, "Length Required");
        CASE(412, "Precondition Failed");
        CASE(413, "Content Too Large");
        CASE(415, "Unsupported Media Type");
        CASE(417, "Expectation Failed");
        CASE(422, "Unprocessable Content");
        CASE(429, "Too Many Requests");
        CASE(431, "Request Header Fields Too Large");
        CASE(499, "Client Closed Request");
        CASE(500, "Internal Server Error");
        CASE(501, "Not Implemented");
        CASE(503, "Service Unavailable");
        CASE(504, "Gateway Timeout");
        CASE(505, "HTTP Version Not Supported");
        CASE(507, "Insufficient Storage");
    default:
        break;
    }
#undef CASE
    memcpy(buf, "000 Unknown", 12);
    buf[0] = (char)('0' + status / 100 % 10);
    buf[1] = (char)('0' + status / 10 % 10);
    buf[2] = (char)('0' + status % 10);
    return (pl_str){buf, 11};
}
