using System.Net;
using Amazon.Runtime;

namespace Amazon.SQS.Model;

/// <summary>The queue address is not valid (SQS API Reference).</summary>
public class InvalidAddressException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The receipt handle is not valid for this version (SQS API Reference).</summary>
public class InvalidIdFormatException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The request was not made over HTTPS or not signed with SigV4 (SQS API Reference).</summary>
public class InvalidSecurityException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The caller may not use the key (SQS API Reference).</summary>
public class KmsAccessDeniedException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The key is disabled (SQS API Reference).</summary>
public class KmsDisabledException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The key is not for encryption (SQS API Reference).</summary>
public class KmsInvalidKeyUsageException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The state of the key does not allow this (SQS API Reference).</summary>
public class KmsInvalidStateException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>No such key (SQS API Reference).</summary>
public class KmsNotFoundException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The key needs a subscription (SQS API Reference).</summary>
public class KmsOptInRequiredException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>KMS throttled the request (SQS API Reference).</summary>
public class KmsThrottledException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>Too many messages are in flight (SQS API Reference).</summary>
public class OverLimitException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>No such queue (SQS API Reference).</summary>
public class QueueDoesNotExistException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The receipt handle is not valid (SQS API Reference).</summary>
public class ReceiptHandleIsInvalidException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The request was throttled (SQS API Reference).</summary>
public class RequestThrottledException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The queue does not support this (SQS API Reference).</summary>
public class UnsupportedOperationException(string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null, string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonSQSException(message, innerException, errorType, errorCode, requestId, statusCode);
