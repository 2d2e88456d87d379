namespace NetAutomation.Web;

/// <summary>The process may not serve as it is set up; the message is for the person who starts it.</summary>
internal sealed class RefusedToStartException(string message) : Exception(message);
