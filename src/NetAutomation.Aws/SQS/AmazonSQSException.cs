using System.Net;
using Amazon.Runtime;

namespace Amazon.SQS;

/// <summary>Any error SQS answers (SQS API Reference, "Common errors").</summary>
public class AmazonSQSException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonServiceException(message, innerException, errorType, errorCode, requestId, statusCode);
