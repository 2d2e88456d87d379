using System.Net;
using Amazon.Runtime;

namespace Amazon.EC2;

/// <summary>Any error EC2 answers; EC2 models no types, so branch on <c>ErrorCode</c> (EC2 API Reference, "Error codes").</summary>
public class AmazonEC2Exception(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonServiceException(message, innerException, errorType, errorCode, requestId, statusCode);
